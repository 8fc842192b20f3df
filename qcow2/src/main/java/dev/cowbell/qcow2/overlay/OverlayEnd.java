package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderBuilder;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** Appends what follows all that QEMU knows of, and makes the head that leads to everything. */
final class OverlayEnd {

  /** Where the tables are that the header names. */
  record Tables(long refcountTable, long refcountTableClusters, long l1Table, int l1Entries) {}

  /** What the summary says of the content. */
  record Counts(long dataClusters, long zeroClusters, long bytesRead, long frameBytes) {}

  private final OverlaySpec spec;
  private final int version;
  private final BodyWriter body;

  /**
   * @param version of the format, see {@link OverlayExtension}
   */
  OverlayEnd(OverlaySpec spec, int version, BodyWriter body) {
    this.spec = spec;
    this.version = version;
    this.body = body;
  }

  WrittenOverlay finish(Tables tables, Counts counts) throws IOException {
    ByteBuffer table = IntegrityTable.encode(body.seals());
    OverlayExtension extension =
        new OverlayExtension(
            version, body.position(), table.remaining(), Sha256.of(table), spec.identity());
    body.append(table);
    body.align();
    Header header =
        new HeaderBuilder()
            .clusterBits(spec.geometry().clusterBits())
            .size(spec.imageSize())
            .refcountTable(tables.refcountTable(), tables.refcountTableClusters())
            .l1Table(tables.l1Table(), tables.l1Entries())
            .compressionType(CompressionType.ZSTD)
            .build();
    ByteBuffer head = ByteBuffer.allocate(spec.headLength());
    head.put(imageHead(header, extension).encode()).rewind();
    OverlaySummary summary =
        new OverlaySummary(
            spec.clusterSize(),
            spec.headLength(),
            body.position(),
            Sha256.of(head),
            body.finish(),
            counts.dataClusters(),
            counts.zeroClusters(),
            counts.bytesRead(),
            counts.frameBytes(),
            body.position() - counts.frameBytes());
    return new WrittenOverlay(head, summary);
  }

  private ImageHead imageHead(Header header, OverlayExtension extension) {
    HeaderExtension names = HeaderExtension.FeatureNameTable.ofKnownFeatures();
    if (spec.backingFile().isEmpty()) {
      return new ImageHead(header, List.of(names, extension.encode()), Bytes.EMPTY);
    }
    HeaderExtension backing = HeaderExtension.BackingFormat.of("qcow2");
    return new ImageHead(
        header, List.of(backing, names, extension.encode()), Bytes.utf8(spec.backingFile().get()));
  }
}
