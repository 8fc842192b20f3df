package dev.cowbell.agent.repository;

/** What a point needs besides itself. */
public enum PointKind {
  /** Nothing: it holds all of every disk. */
  FULL,
  /** The parent of at least one of its disks. */
  INCREMENTAL;

  /** The word used in manifests and on the command line. */
  public String word() {
    return this == FULL ? "full" : "incremental";
  }
}
