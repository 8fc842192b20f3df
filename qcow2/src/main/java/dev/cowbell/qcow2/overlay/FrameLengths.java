package dev.cowbell.qcow2.overlay;

import java.util.Arrays;

/** The lengths of frames one behind the other; 0 stands for a cluster of zeroes. */
final class FrameLengths {
  private int[] lengths = new int[1024];
  private int count;
  private int next;

  void add(int length) {
    if (count == lengths.length) {
      lengths = Arrays.copyOf(lengths, Math.addExact(count, count >> 1));
    }
    lengths[count++] = length;
  }

  /** The next length, from the first on. */
  int next() {
    return lengths[next++];
  }
}
