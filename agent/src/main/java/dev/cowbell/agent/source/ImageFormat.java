package dev.cowbell.agent.source;

/** The formats of images that can be backed up. */
public enum ImageFormat {
  QCOW2,
  RAW;

  /** The word used in manifests and on the command line. */
  public String word() {
    return this == QCOW2 ? "qcow2" : "raw";
  }
}
