package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.Map;
import java.util.NavigableMap;

/**
 * Writes a new refcount structure beside the old one, from nothing but the references in the image,
 * and then lets the header refer to it: one durable write of 24 bytes in the first sector, which
 * also exchanges the snapshot table where that is asked for.
 */
final class RefcountRebuild {
  private final HostFile file;
  private final Header header;
  private final Geometry geometry;
  private final CheckListener listener;
  private final boolean withSnapshots;
  private final SnapshotTable stored;
  private final SnapshotTable snapshots;

  /**
   * @param stored the snapshot table where the header says
   * @param withSnapshots whether it is written anew, as it should be
   * @param listener called between two reads
   */
  RefcountRebuild(
      HostFile file,
      Header header,
      SnapshotTable stored,
      boolean withSnapshots,
      CheckListener listener) {
    this.file = file;
    this.header = header;
    this.geometry = header.geometry();
    this.stored = stored;
    this.snapshots = withSnapshots ? stored.mended(header) : stored;
    this.withSnapshots = withSnapshots;
    this.listener = listener;
  }

  /**
   * Rebuilds. Nothing that anything refers to is written to but the header.
   *
   * @param countedEnd the first byte behind everything that has a refcount, as far as refcounts can
   *     be read
   * @param forbidden bytes behind the file's end that something refers to
   * @throws UnsupportedFeatureException if a refcount table can't describe so long a file
   */
  void run(long countedEnd, NavigableMap<Long, Long> forbidden) throws IOException {
    BitSet used = new BitSet();
    long[] referredEnd = {countedEnd};
    scan(counts -> {
      referredEnd[0] = Math.max(referredEnd[0], counts.end() << geometry.clusterBits());
      long end = counts.first() + ReferenceCounts.WINDOW;
      for (long at = counts.next(counts.first()); at < end; ) {
        long block = at >>> geometry.refcountBlockBits();
        used.set((int) block);
        at = counts.next((block + 1) << geometry.refcountBlockBits());
      }
    });
    // behind the file's end nothing is counted
    boolean hasSnapshots = stored.length() > 0 && header.snapshotsOffset() < file.size();
    boolean keepsSnapshots = hasSnapshots && !withSnapshots;
    long snapshotsEnd = hasSnapshots ? header.snapshotsOffset() + stored.length() : 0;
    long keptFirst = header.snapshotsOffset() >>> geometry.clusterBits();
    long keptEnd =
        geometry.clustersFor(keepsSnapshots ? header.snapshotsOffset() + stored.length() : 0);
    for (long i = keptFirst; keepsSnapshots && i < keptEnd; i++) {
      used.set((int) (i >>> geometry.refcountBlockBits()));
    }
    RefcountLayout layout =
        RefcountLayout.of(
            geometry,
            used,
            geometry.clustersFor(Math.max(referredEnd[0], snapshotsEnd)),
            forbidden,
            withSnapshots ? snapshots.length() : 0);
    Blocks blocks =
        new Blocks(layout, keepsSnapshots ? keptFirst : 0, keepsSnapshots ? keptEnd : 0);
    scan(blocks::write);
    blocks.writeRest();
    writeTables(layout);
    file.flush();
    switchHeader(layout);
  }

  private interface Window {
    void see(ReferenceCounts counts) throws IOException;
  }

  private void scan(Window window) throws IOException {
    CheckListener quiet =
        new CheckListener() {
          @Override
          public void found(Finding finding) {}

          @Override
          public void between() throws IOException {
            listener.between();
          }
        };
    ImageCheck.run(
        file,
        quiet,
        new Scan() {
          @Override
          public boolean forRepair() {
            return true;
          }

          @Override
          public void countedContent(ReferenceCounts counts) throws IOException {
            window.see(counts);
          }
        });
  }

  /** Writes refcount blocks window after window. */
  private final class Blocks {
    private final RefcountLayout layout;
    private final long keptFirst;
    private final long keptEnd;
    private final ReferenceCounts none = new ReferenceCounts();
    private int done = -1;

    Blocks(RefcountLayout layout, long keptFirst, long keptEnd) {
      this.layout = layout;
      this.keptFirst = keptFirst;
      this.keptEnd = keptEnd;
    }

    void write(ReferenceCounts counts) throws IOException {
      long end = counts.first() + ReferenceCounts.WINDOW;
      writeBefore((int) Math.min(end >>> geometry.refcountBlockBits(), Integer.MAX_VALUE), counts);
    }

    void writeRest() throws IOException {
      writeBefore(Integer.MAX_VALUE, none);
    }

    private void writeBefore(int end, ReferenceCounts counts) throws IOException {
      for (Map.Entry<Integer, Long> block :
          layout.blocks().subMap(done, false, end, false).entrySet()) {
        file.write(block.getValue(), content(block.getKey(), counts));
      }
      done = end - 1;
    }

    private ByteBuffer content(int index, ReferenceCounts counts) {
      ByteBuffer block = ByteBuffer.allocate(geometry.clusterSize());
      long first = (long) index << geometry.refcountBlockBits();
      long end = first + geometry.refcountBlockEntries();
      if (counts != none) {
        for (long at = counts.next(first); at < end; at = counts.next(at + 1)) {
          set(block, at - first, counts.get(at));
        }
      }
      raise(block, first, end, keptFirst, keptEnd);
      for (Map.Entry<Long, Long> run : layout.taken().headMap(end, false).entrySet()) {
        raise(block, first, end, run.getKey(), run.getValue());
      }
      return block;
    }

    private void raise(ByteBuffer block, long first, long end, long from, long to) {
      for (long at = Math.max(first, from); at < Math.min(end, to); at++) {
        set(block, at - first, geometry.refcountWidth().get(block, (int) (at - first)) + 1);
      }
    }

    private void set(ByteBuffer block, long index, long count) {
      long max = geometry.refcountWidth().max();
      geometry.refcountWidth().set(block, (int) index, Math.min(count, max));
    }
  }

  private void writeTables(RefcountLayout layout) throws IOException {
    ByteBuffer table = ByteBuffer.allocate((int) layout.tableClusters() << geometry.clusterBits());
    layout.blocks().forEach((index, at) -> table.putLong(index * Long.BYTES, at));
    file.write(layout.table(), table);
    if (withSnapshots && snapshots.length() > 0) {
      ByteBuffer bytes = snapshots.encode();
      long clusters = geometry.clustersFor(bytes.limit());
      ByteBuffer whole = ByteBuffer.allocate((int) (clusters << geometry.clusterBits()));
      file.write(layout.snapshotTable(), whole.put(bytes).rewind());
    }
  }

  private void switchHeader(RefcountLayout layout) throws IOException {
    long count = withSnapshots ? snapshots.entries().size() : header.nbSnapshots();
    long at = withSnapshots ? layout.snapshotTable() : header.snapshotsOffset();
    ByteBuffer fields =
        ByteBuffer.allocate(Header.SNAPSHOTS_OFFSET.end() - Header.REFCOUNT_TABLE_OFFSET.offset());
    fields.putLong(layout.table()).putInt((int) layout.tableClusters());
    fields.putInt((int) count).putLong(at);
    file.write(Header.REFCOUNT_TABLE_OFFSET.offset(), fields.flip());
    file.flush();
  }
}
