package dev.cowbell.qcow2.refcount;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;

/** How many of a file's clusters are in use, by their refcounts. Nothing is written. */
public final class UsedClusters {
  private UsedClusters() {}

  /**
   * Whether at least so many are; no more is read than it takes to know.
   *
   * @param header has passed {@link Header#checkTables}
   */
  public static boolean atLeast(long wanted, HostFile file, Header header) throws IOException {
    Geometry geometry = header.geometry();
    RefcountTable table = RefcountTable.read(file, header);
    ByteBuffer block = ByteBuffer.allocate(geometry.clusterSize());
    long clusters = geometry.clustersFor(file.size());
    long used = 0;
    for (int i = 0; i < table.length() && used < wanted; i++) {
      long first = (long) i * geometry.refcountBlockEntries();
      long at = table.block(i);
      if (first >= clusters) {
        break;
      }
      if (at == 0) {
        continue;
      }
      file.readPadded(at, block.clear());
      int count = (int) Math.min(geometry.refcountBlockEntries(), clusters - first);
      for (int entry = 0; entry < count; entry++) {
        if (geometry.refcountWidth().get(block, entry) != 0) {
          used++;
        }
      }
    }
    return used >= wanted;
  }
}
