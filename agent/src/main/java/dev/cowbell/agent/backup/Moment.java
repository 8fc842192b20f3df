package dev.cowbell.agent.backup;

/** The moments of a backup at which a crash leaves something different: see docs/tracking.md. */
public enum Moment {
  /** All images are open and locked. */
  LOCKED,
  /** It is known what to do. */
  PLANNED,
  /** An image has its new bitmap. Once for each image. */
  TRACKED,
  /** An overlay is complete but not yet visible. Once for each image. */
  UPLOADED,
  /** An overlay's digests are stored, it is not. Once for each image. */
  DIGESTED,
  /** An overlay is stored under its key. Once for each image. */
  COPIED,
  /** All overlays are stored; the manifest is not. */
  COMMITTING,
  /** The point exists. */
  COMMITTED,
  /** An image has only its new bitmap of ours. Once for each image. */
  RETIRED;

  /** Is told of each moment; a test may stop the process there. */
  @FunctionalInterface
  public interface Observer {
    Observer NONE = _ -> {};

    void reached(Moment moment);
  }
}
