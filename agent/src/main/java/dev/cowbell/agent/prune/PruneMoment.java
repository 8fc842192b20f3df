package dev.cowbell.agent.prune;

/** The moments of a prune at which a crash leaves something different: see docs/prune.md. */
public enum PruneMoment {
  /** The lease is held. */
  LEASED,
  /** What an earlier prune left half done is finished. */
  RECOVERED,
  /** A manifest says that its point is to go. Once for each. */
  DROPPED,
  /** A merged overlay is complete but not yet visible. Once for each. */
  MERGED,
  /** Merged digests are in the place of the child's. Once for each. */
  DIGESTED,
  /** The child's manifest names the merged overlay beside the old one. Once for each. */
  ANNOUNCED,
  /** The merged overlay is in the place of the old one. Once for each. */
  REPLACED,
  /** The child's manifest names only the merged overlay, and its shorter chain. Once for each. */
  UPDATED,
  /** A manifest is gone; its objects are not. Once for each. */
  UNLISTED,
  /** The objects of a point that was removed are gone. Once for each. */
  REMOVED,
  /** What interrupted runs left is gone. */
  SWEPT;

  /** Is told of each moment; a test may stop the process there. */
  @FunctionalInterface
  public interface Observer {
    Observer NONE = _ -> {};

    void reached(PruneMoment moment);
  }
}
