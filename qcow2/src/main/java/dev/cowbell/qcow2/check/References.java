package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.format.Geometry;
import java.io.IOException;

/** Counts references to host clusters, in the window that is looked at. */
final class References {

  /** QEMU reads nothing from here on; behind the end of a file but before this, it reads zeroes. */
  static final long END_OF_ALL_FILES = Long.MAX_VALUE & -(1L << 30);

  private final ReferenceCounts counts = new ReferenceCounts();
  private final Geometry geometry;
  private final long fileSize;
  private final long max;
  private final Tally tally;

  /**
   * @param fileSize the size of the image file, rounded up to whole sectors
   * @param max the most that is counted for a cluster
   */
  References(Geometry geometry, long fileSize, long max, Tally tally) {
    this.max = max;
    this.geometry = geometry;
    this.fileSize = fileSize;
    this.tally = tally;
  }

  ReferenceCounts counts() {
    return counts;
  }

  long fileSize() {
    return fileSize;
  }

  /** Whether a run ends one cluster or more behind the file's end; less is how images may end. */
  boolean isOutside(long offset, long length) {
    return offset < 0 || offset - fileSize >= geometry.clusterSize() - length;
  }

  /** Counts a fixed structure, and finds it outside the file where it is. */
  void structure(String what, long offset, long length) throws IOException {
    if (length <= 0) {
      return;
    }
    if (isOutside(offset, length)) {
      if (tally.isFirstPass()) {
        tally.found(new Finding.OutsideFile(what, offset, length, fileSize));
      }
      return;
    }
    add(offset, length, 1);
  }

  /** Counts so many references to each cluster of a run that is not outside. */
  void add(long offset, long length, long references) throws IOException {
    long last = (offset + length - 1) >>> geometry.clusterBits();
    addClusters(offset >>> geometry.clusterBits(), last + 1, references);
  }

  /** Counts so many references to each of the clusters from {@code first} to before {@code end}. */
  void addClusters(long first, long end, long references) throws IOException {
    long from = Math.max(first, counts.first());
    long to = Math.min(end, counts.first() + ReferenceCounts.WINDOW);
    for (long cluster = from; cluster < to; cluster++) {
      if (counts.add(cluster, references, max)) {
        tally.found(new Finding.TooManyReferences(cluster, max));
      }
    }
  }
}
