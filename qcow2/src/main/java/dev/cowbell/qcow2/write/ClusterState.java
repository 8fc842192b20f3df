package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.format.L2Rules;

/**
 * What an L2 entry says, with a standard entry as one that has a single subcluster.
 *
 * @param word the entry's first word
 * @param owned whether there is a host cluster that may be written in place
 * @param compressed whether it is a compressed cluster; the rest then says nothing
 * @param allocated the subclusters that hold data: bit n for subcluster n
 * @param zero the subclusters that read as zeroes
 */
record ClusterState(long word, boolean owned, boolean compressed, int allocated, int zero) {

  static ClusterState of(long word, long bitmap, L2Rules rules) {
    if (L2Entry.isCompressed(word)) {
      return new ClusterState(word, false, true, 0, 0);
    }
    boolean present = rules.holdsCluster(word);
    boolean owned = present && L2Entry.isCopied(word);
    if (rules.geometry().extendedL2()) {
      return new ClusterState(
          word,
          owned,
          false,
          L2Entry.allocatedSubclusters(bitmap),
          L2Entry.zeroSubclusters(bitmap));
    }
    boolean zero = L2Entry.isZero(word);
    return new ClusterState(word, owned, false, present && !zero ? 1 : 0, zero ? 1 : 0);
  }

  /** The host cluster of an entry that is not compressed. */
  long host() {
    return L2Entry.offset(word);
  }

  /** Whether the subclusters of a mask can be written in place. */
  boolean holds(int mask) {
    return owned && (allocated & mask) == mask;
  }

  boolean isAllocated(int subcluster) {
    return (allocated >>> subcluster & 1) != 0;
  }

  boolean isZero(int subcluster) {
    return (zero >>> subcluster & 1) != 0;
  }

  /** The subclusters from one to another, both included. */
  static int mask(int first, int last) {
    return (-1 >>> (31 - last)) & (-1 << first);
  }
}
