package dev.cowbell.qcow2.write;

/** What is made sure of by flushing the host files. */
public enum BarrierMode {
  /**
   * Nothing is ever flushed: a crash of the host may leave anything. A crash of this program alone
   * is as harmless as with {@link #METADATA}. For images that are thrown away on failure.
   */
  NONE,
  /**
   * Metadata is ordered, and what was flushed is durable: after a crash the image opens, with leaks
   * at most.
   */
  METADATA,
  /** As {@link #METADATA}, and each change is durable before its call returns. */
  FULL
}
