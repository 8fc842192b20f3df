package dev.cowbell.qcow2.refcount;

import java.util.Arrays;

/**
 * A set of marks, up to eight kinds, for each of some host clusters: an open hash table without
 * objects, since an image may have millions of tables.
 */
final class ClusterMarks {
  private static final int INITIAL = 1 << 8;

  /** Cluster numbers plus one; 0 is a free slot. */
  private long[] keys = new long[INITIAL];

  private byte[] marks = new byte[INITIAL];
  private int used;

  /** The marks of a cluster, a bit for each kind. */
  int get(long cluster) {
    return marks[slot(cluster)];
  }

  void add(long cluster, int kinds) {
    int slot = slot(cluster);
    if (keys[slot] == 0) {
      if (used >= keys.length / 2) {
        rehash();
        slot = slot(cluster);
      }
      keys[slot] = cluster + 1;
      used++;
    }
    marks[slot] |= (byte) kinds;
  }

  /** Takes marks away. The slot stays taken until the next growth. */
  void remove(long cluster, int kinds) {
    marks[slot(cluster)] &= (byte) ~kinds;
  }

  private int slot(long cluster) {
    return slot(keys, cluster + 1);
  }

  private static int slot(long[] keys, long key) {
    int mask = keys.length - 1;
    int slot = (int) ((key * 0x9e37_79b9_7f4a_7c15L) >>> 32) & mask;
    while (keys[slot] != 0 && keys[slot] != key) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private void rehash() {
    int live = 0;
    for (byte mark : marks) {
      live += mark == 0 ? 0 : 1;
    }
    int size = live >= keys.length / 4 ? keys.length * 2 : keys.length;
    long[] oldKeys = keys;
    byte[] oldMarks = Arrays.copyOf(marks, marks.length);
    keys = new long[size];
    marks = new byte[size];
    used = live;
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldMarks[i] != 0) {
        int slot = slot(keys, oldKeys[i]);
        keys[slot] = oldKeys[i];
        marks[slot] = oldMarks[i];
      }
    }
  }
}
