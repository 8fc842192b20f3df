package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import java.io.IOException;

/** Writes the tables of a merged overlay behind its frames. */
final class MergedTables implements MergeWalk.Visitor {
  private static final int GROUP_BYTES = 8 << 20;
  private static final int L2_ENTRY_BYTES = 8;

  private final OverlaySpec spec;
  private final Geometry geometry;
  private final BodyWriter body;
  private final CopiedRanges copies;
  private final FrameLengths moved;
  private final RefcountMap refcounts;
  private final L1Pages l1;
  private final ClusterStack l2;
  private final long[] l2Index;

  private long movedTo;
  private long openTable = -1;
  private long dataClusters;
  private long zeroClusters;
  private long frameBytes;

  /**
   * @param body with all frames in it
   * @param moved the lengths of those that lie at its beginning
   */
  MergedTables(OverlaySpec spec, BodyWriter body, CopiedRanges copies, FrameLengths moved)
      throws IOException {
    this.spec = spec;
    this.geometry = spec.geometry();
    this.body = body;
    this.copies = copies;
    this.moved = moved;
    this.movedTo = geometry.clusterSize();
    this.refcounts = new RefcountMap(geometry);
    this.l1 = new L1Pages(geometry, (int) geometry.l1EntriesFor(spec.diskSize()));
    this.l2 = new ClusterStack(geometry, Seal.Kind.L2_TABLES);
    this.l2Index = new long[Math.max(1, GROUP_BYTES / geometry.clusterSize())];
    body.align();
  }

  @Override
  public void frame(long cluster, int overlay, long host, long end) throws IOException {
    long copied = copies.placeOf(overlay, host, end);
    if (copied < 0) {
      pack(cluster);
    } else {
      put(cluster, copied, (int) (end - host));
    }
  }

  @Override
  public void pack(long cluster) throws IOException {
    int length = moved.next();
    if (length == 0) {
      zero(cluster, 1);
    } else {
      put(cluster, movedTo, length);
      movedTo += length;
    }
  }

  private void put(long cluster, long offset, int length) throws IOException {
    putWord(cluster, L2Entry.compressed(new CompressedDescriptor(offset, length), geometry).word());
    refcounts.frame(offset, length);
    dataClusters++;
    frameBytes += length;
  }

  @Override
  public void zero(long cluster, long count) throws IOException {
    // said in a full too: until its manifest is updated it is read upon what it took in
    for (long i = 0; i < count; i++) {
      putWord(cluster + i, L2Entry.ZERO_PLAIN.word());
    }
    zeroClusters += count;
  }

  private void putWord(long cluster, long word) throws IOException {
    long table = cluster >>> geometry.l2Bits();
    if (table != openTable) {
      if (l2.size() == l2Index.length) {
        writeGroup();
      }
      l2Index[l2.push()] = table;
      openTable = table;
    }
    int entry = (int) cluster & (geometry.l2Entries() - 1);
    l2.putLong(l2.size() - 1, entry * L2_ENTRY_BYTES, word);
  }

  private void writeGroup() throws IOException {
    long start = body.cluster();
    for (int i = 0; i < l2.size(); i++) {
      long offset = (start + i) << geometry.clusterBits();
      l1.set((int) l2Index[i], L1Entry.of(offset, true).word());
    }
    refcounts.metadata(start, l2.size());
    l2.writeTo(body);
  }

  /** Appends what ends the body, and makes the head. */
  WrittenOverlay finish() throws IOException {
    writeGroup();
    long start = body.cluster();
    RefcountStream.Ending ending = refcounts.ending(start, l1.clusters());
    refcounts.metadata(start, ending.clusters() + l1.clusters());
    refcounts.write(body, ending);
    long l1Offset = body.position();
    l1.writeTo(body);
    long tableOffset = (start + ending.blocks()) << geometry.clusterBits();
    return new OverlayEnd(spec, OverlayExtension.MERGED, body)
        .finish(
            new OverlayEnd.Tables(tableOffset, ending.tableClusters(), l1Offset, l1.entries()),
            new OverlayEnd.Counts(dataClusters, zeroClusters, 0, frameBytes));
  }
}
