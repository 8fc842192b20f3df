package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.RefcountWidth;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Reads the tables of one stored overlay. Nothing is believed that the digest of the head does not
 * vouch for, by way of the integrity table. Holds the L1 table's pages that have entries; L2 tables
 * are in the cache.
 */
public final class OverlayReader implements OverlayTables {
  private static final int FIRST_READ = 64 << 10;
  private static final int L2_ENTRY_BYTES = 8;

  private final OverlaySource source;
  private final ImageHead head;
  private final OverlayExtension extension;
  private final Geometry geometry;
  private final SealedBlocks blocks;
  private final L1Pages l1;

  private OverlayReader(
      OverlaySource source, ImageHead head, OverlayExtension extension, SealedBlocks blocks)
      throws IOException {
    this.source = source;
    this.head = head;
    this.extension = extension;
    this.geometry = head.header().geometry();
    this.blocks = blocks;
    this.l1 = loadL1();
  }

  /**
   * Opens an overlay: reads its head, its integrity table, and the used parts of its L1 table.
   *
   * @param headDigest what the manifest says of the head; without it the head is taken as it is
   * @param cache for L2 tables; one for all overlays of a chain
   * @throws ImageException if it is not an overlay of this format, or not the one that was written
   */
  public static OverlayReader open(
      OverlaySource source, Optional<Sha256> headDigest, MetadataCache cache) throws IOException {
    return open(source, headDigest.stream().toList(), cache);
  }

  /**
   * Opens an overlay that may be one of several: while a merge replaces one, the old and the new.
   *
   * @param headDigests what the head may be; if empty, the head is taken as it is
   */
  public static OverlayReader open(
      OverlaySource source, List<Sha256> headDigests, MetadataCache cache) throws IOException {
    try {
      ByteBuffer cluster = readHead(source);
      if (!headDigests.isEmpty() && !headDigests.contains(Sha256.of(cluster))) {
        throw new CorruptImageException(
            "the head is not what was written: its SHA-256 is %s instead of %s"
                .formatted(Sha256.of(cluster), headDigests.getFirst()));
      }
      ImageHead head = ImageHead.decode(cluster);
      checkKind(head.header());
      OverlayExtension extension = OverlayExtension.decode(payload(head));
      IntegrityTable table = readTable(source, head.header(), extension);
      return new OverlayReader(source, head, extension, new SealedBlocks(source, table, cache));
    } catch (ImageException e) {
      throw e.in(source.name());
    }
  }

  private static ByteBuffer readHead(OverlaySource source) throws IOException {
    int first = (int) Math.min(FIRST_READ, source.size());
    if (first < OverlaySpec.MIN_CLUSTER) {
      throw new CorruptImageException(
          "the object has %d bytes, an overlay has at least %d"
              .formatted(source.size(), OverlaySpec.MIN_CLUSTER));
    }
    ByteBuffer read = ByteBuffer.allocate(first);
    source.read(0, read);
    read.flip();
    long bits = Header.CLUSTER_BITS.get(read);
    int least = Integer.numberOfTrailingZeros(OverlaySpec.MIN_CLUSTER);
    int most = Integer.numberOfTrailingZeros(OverlaySpec.MAX_CLUSTER);
    if (bits < least || bits > most || 1L << bits > source.size()) {
      throw new CorruptImageException(
          "cluster_bits is %d in an object of %d bytes, allowed are %d to %d"
              .formatted(bits, source.size(), least, most));
    }
    int clusterSize = 1 << bits;
    if (clusterSize <= first) {
      return read.slice(0, clusterSize);
    }
    ByteBuffer whole = ByteBuffer.allocate(clusterSize).put(read);
    source.read(first, whole);
    return whole.flip();
  }

  private static void checkKind(Header header) throws CorruptImageException {
    FeatureBits expected = FeatureBits.NONE.with(Feature.COMPRESSION_TYPE);
    if (header.version() != 3
        || header.compressionType() != CompressionType.ZSTD
        || !header.features().equals(expected)
        || !header.refcountWidth().equals(RefcountWidth.DEFAULT)
        || header.cryptMethod() != CryptMethod.NONE
        || header.nbSnapshots() != 0) {
      throw new CorruptImageException("the image is not an overlay: it uses other features");
    }
    header.checkTables();
  }

  private static Bytes payload(ImageHead head) throws CorruptImageException {
    for (HeaderExtension extension : head.extensions()) {
      if (extension.type() == OverlayExtension.TYPE) {
        return extension.payload();
      }
    }
    throw new CorruptImageException("the image is not an overlay: it has no overlay extension");
  }

  private static IntegrityTable readTable(
      OverlaySource source, Header header, OverlayExtension extension) throws IOException {
    int clusterSize = 1 << header.clusterBits();
    long offset = extension.tableOffset();
    long end = (offset + extension.tableLength() + clusterSize - 1) & -(long) clusterSize;
    if (offset < clusterSize || end != source.size()) {
      throw new CorruptImageException(
          "the integrity table of %d bytes is at %d, but the object ends at %d"
              .formatted(extension.tableLength(), offset, source.size()));
    }
    ByteBuffer table = ByteBuffer.allocate(extension.tableLength());
    source.read(offset, table);
    table.flip();
    if (!Sha256.of(table).equals(extension.tableDigest())) {
      throw new CorruptImageException("the integrity table is not what was written");
    }
    return IntegrityTable.decode(table, clusterSize, clusterSize, offset);
  }

  /** Reads the sealed parts of the L1 table; the others are zero. */
  private L1Pages loadL1() throws IOException {
    Header header = head.header();
    L1Pages pages = new L1Pages(geometry, header.l1Size());
    long start = header.l1TableOffset();
    long end = start + (long) header.l1Size() * Geometry.L1_ENTRY_SIZE;
    long last = 0;
    IntegrityTable table = blocks.table();
    for (int i = table.firstEndingBehind(start); i < table.seals().size(); i++) {
      Seal seal = table.seals().get(i);
      if (seal.kind() != Seal.Kind.L1_TABLE || seal.offset() < start) {
        throw new CorruptImageException(
            "the L1 table at %d is sealed as %s at %d"
                .formatted(start, seal.kind(), seal.offset()));
      }
      ByteBuffer block = blocks.block(i);
      long first = (seal.offset() - start) / Geometry.L1_ENTRY_SIZE;
      long inside = Math.min(end - seal.offset(), seal.length());
      int count = (int) Math.max(0, inside / Geometry.L1_ENTRY_SIZE);
      for (int e = 0; e < count; e++) {
        long word = block.getLong(e * Geometry.L1_ENTRY_SIZE);
        if (word != 0) {
          last = checkL1(new L1Entry(word), first + e, last);
          pages.set((int) first + e, word);
        }
      }
    }
    return pages;
  }

  /** L2 tables ascend, so that none is used twice, and each lies in a sealed block. */
  private long checkL1(L1Entry entry, long index, long last) throws CorruptImageException {
    long offset = entry.offset();
    int seal = blocks.table().firstEndingBehind(offset);
    boolean sealed =
        seal < blocks.table().seals().size()
            && blocks.table().seals().get(seal).offset() <= offset
            && blocks.table().seals().get(seal).kind() == Seal.Kind.L2_TABLES;
    if (entry.reserved() != 0 || offset <= last || !geometry.isClusterAligned(offset) || !sealed) {
      throw new CorruptImageException(
          "L1 entry %d is %#018x, allowed are L2 tables behind offset %d"
              .formatted(index, entry.word(), last));
    }
    return offset;
  }

  @Override
  public String name() {
    return source.name();
  }

  @Override
  public long size() {
    return head.header().diskSize();
  }

  @Override
  public Geometry geometry() {
    return geometry;
  }

  @Override
  public OverlaySource source() {
    return source;
  }

  /** Whose content the overlay says it holds. */
  public OverlayIdentity identity() {
    return extension.identity();
  }

  /** The bare name of the parent's overlay as it stands in the head; empty for a full. */
  public Optional<String> backingFile() {
    return head.backingFile();
  }

  /** Whether its frames may lie in any order, with dead bytes between them. */
  boolean isMerged() {
    return extension.version() == OverlayExtension.MERGED;
  }

  SealedBlocks blocks() {
    return blocks;
  }

  /** The first byte behind everything that is data or sealed. */
  long tablesEnd() {
    return extension.tableOffset();
  }

  @Override
  public long nextTable(long l1Index) {
    return l1.next(l1Index);
  }

  @Override
  public void readEntries(long firstCluster, int count, long[] dst) throws IOException {
    for (int done = 0; done < count; ) {
      long cluster = firstCluster + done;
      int entry = (int) cluster & (geometry.l2Entries() - 1);
      int length = Math.min(count - done, geometry.l2Entries() - entry);
      long table = tableOffset(cluster >>> geometry.l2Bits());
      if (table == 0) {
        Arrays.fill(dst, done, done + length, 0);
      } else {
        readTable(table, entry, LongBuffer.wrap(dst, done, length));
      }
      done += length;
    }
  }

  private void readTable(long table, int entry, LongBuffer words) throws IOException {
    int seal = blocks.table().firstEndingBehind(table);
    int at = (int) (table - blocks.table().seals().get(seal).offset()) + entry * L2_ENTRY_BYTES;
    try {
      words.put(blocks.block(seal).slice(at, words.remaining() * L2_ENTRY_BYTES).asLongBuffer());
    } catch (CorruptImageException e) {
      throw e.in(name());
    }
  }

  /** Where the L2 table of an L1 index is; 0 if there is none. */
  long tableOffset(long l1Index) {
    return l1Index < l1.entries() ? L1Entry.offset(l1.get((int) l1Index)) : 0;
  }
}
