package dev.cowbell.qcow2.layers;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.ClusterAllocator.RefcountView;
import dev.cowbell.qcow2.refcount.HeadWriter;
import java.io.IOException;

/** Gives the space of free clusters back to the host. The image is quiesced and durable. */
final class SpareSpace {

  private SpareSpace() {}

  /** Cuts free clusters off the file's end and punches holes where they lie between others. */
  static long giveBack(HostFile file, HeadWriter head, ClusterAllocator allocator)
      throws IOException {
    Geometry geometry = head.head().header().geometry();
    int bits = geometry.clusterBits();
    RefcountView refcounts = allocator.refcounts();
    long end = geometry.clustersFor(file.size());
    while (end > 0 && refcounts.get(end - 1) == 0) {
      end--;
    }
    if (end << bits < file.size()) {
      file.resize(end << bits);
    }
    for (long at = 0; at < end; at++) {
      long first = at;
      while (at < end && refcounts.get(at) == 0) {
        at++;
      }
      if (at > first) {
        file.punchHole(first << bits, (at - first) << bits);
      }
    }
    return end << bits;
  }
}
