package dev.cowbell.agent.repository;

/** What a guest finds when it starts from a point. */
public enum Consistency {
  /** The disks as after a power cut, all at one moment. */
  CRASH("crash"),
  /** File systems were frozen. */
  FILESYSTEM("filesystem"),
  /** Nobody used the images while they were read. */
  OFFLINE("offline");

  private final String word;

  Consistency(String word) {
    this.word = word;
  }

  /** The word used in manifests and on the command line. */
  public String word() {
    return word;
  }

  static Consistency of(String word) {
    for (Consistency consistency : values()) {
      if (consistency.word.equals(word)) {
        return consistency;
      }
    }
    throw new IllegalArgumentException("no kind of consistency: \"" + Names.shown(word) + "\"");
  }
}
