package dev.cowbell.qcow2.check;

import java.io.IOException;

/** What a repair wants to see of a check beyond its findings. */
interface Scan {

  /** A check that is nothing but a check. */
  Scan NONE = new Scan() {};

  /** Whether damage of tables that a repair writes anew does not end the check. */
  default boolean forRepair() {
    return false;
  }

  /** The most that is counted for a cluster whose refcount can hold at most {@code max}. */
  default long limit(long max) {
    return max;
  }

  /** A window's references without those to the snapshot table and the refcount structure. */
  default void countedContent(ReferenceCounts counts) throws IOException {}

  /** A window with all its references. */
  default void countedAll(ReferenceCounts counts) throws IOException {}
}
