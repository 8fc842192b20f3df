package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import java.io.IOException;

/**
 * Lays batches out as a qcow2 image, front to back. Knows where everything goes; the batches know
 * what it is.
 */
final class OverlayAppender {
  private static final int GROUP_BYTES = 8 << 20;
  private static final int L2_ENTRY_BYTES = 8;
  private static final int NONE = -1;

  private final OverlaySpec spec;
  private final Geometry geometry;
  private final BodyWriter body;
  private final RefcountStream refcounts;
  private final L1Pages l1;

  private final ClusterStack l2;
  private final int[] l2Index;
  private int openTable = NONE;

  private long dataClusters;
  private long zeroClusters;
  private long bytesRead;
  private long frameBytes;

  OverlayAppender(OverlaySpec spec, OverlaySink sink) {
    this.spec = spec;
    geometry = spec.geometry();
    body = new BodyWriter(sink, geometry);
    refcounts = new RefcountStream(geometry);
    l1 = new L1Pages(geometry, (int) geometry.l1EntriesFor(spec.diskSize()));
    l2 = new ClusterStack(geometry, Seal.Kind.L2_TABLES);
    l2Index = new int[GROUP_BYTES / spec.clusterSize()];
  }

  /** Appends a batch's frames and notes where they are. */
  void append(Batch batch) throws IOException {
    Span span = new Span(batch);
    int dataCluster = 0;
    for (int run = 0; run < batch.runs(); run++) {
      long start = batch.runStart(run);
      long length = batch.runLength(run);
      if (batch.runZero(run)) {
        zero(start, length, span);
        continue;
      }
      for (int i = 0; i < length; i++) {
        int frame = batch.frameLength(dataCluster++);
        if (frame == 0) {
          zero(start + i, 1, span);
        } else {
          data(start + i, frame, span);
        }
      }
    }
    span.write();
    bytesRead += batch.bytesRead();
  }

  private void data(long cluster, int frameLength, Span span) throws IOException {
    makeRoom(cluster, span);
    long offset = span.add(frameLength);
    put(
        cluster,
        L2Entry.compressed(new CompressedDescriptor(offset, frameLength), geometry).word());
    refcounts.frame(offset, frameLength);
    dataClusters++;
    frameBytes += frameLength;
  }

  private void zero(long start, long length, Span span) throws IOException {
    if (spec.backingFile().isEmpty()) {
      return;
    }
    for (long cluster = start; cluster < start + length; cluster++) {
      makeRoom(cluster, span);
      put(cluster, L2Entry.ZERO_PLAIN.word());
    }
    zeroClusters += length;
  }

  /** Opens the L2 table of a cluster; when the group has no room for it, the group goes first. */
  private void makeRoom(long cluster, Span span) throws IOException {
    int table = (int) (cluster >>> geometry.l2Bits());
    if (table == openTable) {
      return;
    }
    if (l2.size() == l2Index.length) {
      span.write();
      writeGroup();
    }
    l2Index[l2.push()] = table;
    openTable = table;
  }

  private void put(long cluster, long word) {
    int entry = (int) cluster & (geometry.l2Entries() - 1);
    l2.putLong(l2.size() - 1, entry * L2_ENTRY_BYTES, word);
  }

  /** Appends the L2 tables that wait, and the refcount blocks that are full. */
  private void writeGroup() throws IOException {
    if (l2.size() == 0) {
      return;
    }
    body.align();
    long start = body.cluster();
    for (int i = 0; i < l2.size(); i++) {
      long offset = (start + i) << geometry.clusterBits();
      l1.set(l2Index[i], L1Entry.of(offset, true).word());
    }
    int tables = l2.size();
    l2.writeTo(body);
    refcounts.metadata(start, tables + refcounts.writeFull(body));
  }

  /** Appends what ends the body, and makes the head. */
  WrittenOverlay finish() throws IOException {
    writeGroup();
    long start = body.cluster();
    RefcountStream.Ending ending = refcounts.ending(start, l1.clusters());
    refcounts.metadata(start, ending.clusters() + l1.clusters());
    refcounts.writeEnding(body, ending);
    long l1Offset = body.position();
    l1.writeTo(body);

    long tableOffset = (start + ending.blocks()) << geometry.clusterBits();
    return new OverlayEnd(spec, OverlayExtension.WRITTEN, body)
        .finish(
            new OverlayEnd.Tables(tableOffset, ending.tableClusters(), l1Offset, l1.entries()),
            new OverlayEnd.Counts(dataClusters, zeroClusters, bytesRead, frameBytes));
  }

  /** The frames of a batch that have their place but are not yet appended. */
  private final class Span {
    private final Batch batch;
    private int from;
    private int end;

    Span(Batch batch) {
      this.batch = batch;
    }

    /** Gives the next frame its place in the object. */
    long add(int length) {
      long offset = body.position() + end - from;
      end += length;
      return offset;
    }

    void write() throws IOException {
      if (from < end) {
        body.append(batch.frames(from, end));
        from = end;
      }
    }
  }
}
