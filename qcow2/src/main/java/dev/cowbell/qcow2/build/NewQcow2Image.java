package dev.cowbell.qcow2.build;

import dev.cowbell.bitmaps.directory.BitmapDirectory;
import dev.cowbell.bitmaps.directory.BitmapEntry;
import dev.cowbell.bitmaps.directory.BitmapTable;
import dev.cowbell.bitmaps.directory.BitmapsExtension;
import dev.cowbell.bitmaps.directory.SerializedBitmap;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.crypto.ImageCipher;
import dev.cowbell.qcow2.crypto.NewLuks;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderBuilder;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.Zeroes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A qcow2 image in the making, laid out from front to back: data and, behind the data that they
 * map, L2 tables and refcount blocks; at the end bitmaps, the L1 table and the refcount table. The
 * header is written last of all, so whatever interrupts the making, what it leaves is no image.
 */
public final class NewQcow2Image implements CopyTarget {
  private final HostFile file;
  private final NewImageOptions options;
  private final Geometry geometry;
  private final long diskSize;
  private final Optional<Encryption> encryption;
  private final SequentialRefcounts refcounts;
  private final long[] l1;
  private final ByteBuffer l2;
  private long l2Index = -1;

  /** Where the next packed cluster goes, inside a cluster that has room left; else 0. */
  private long packedEnd;

  /**
   * Begins an image.
   *
   * @param file empty
   * @param diskSize in bytes; a multiple of 512
   * @throws UnsupportedFeatureException if the disk is too large for the cluster size, or a bitmap
   *     for the disk
   */
  public NewQcow2Image(HostFile file, long diskSize, NewImageOptions options) throws IOException {
    this(file, diskSize, options, Optional.empty());
  }

  /**
   * Begins an image that may be encrypted. An encrypted one takes no compressed clusters: these are
   * never encrypted, so they would give the disk away.
   *
   * @param luks the header and the key of an encrypted image; open until the image is finished, and
   *     closed by the caller
   */
  public NewQcow2Image(
      HostFile file, long diskSize, NewImageOptions options, Optional<NewLuks> luks)
      throws IOException {
    this.file = file;
    this.options = options;
    this.geometry = options.geometry();
    this.diskSize = diskSize;
    long entries = geometry.l1EntriesFor(diskSize);
    if (entries > Geometry.MAX_L1_BYTES / Geometry.L1_ENTRY_SIZE) {
      throw new UnsupportedFeatureException(
          "%s: a disk of %d bytes needs an L1 table of %d entries with clusters of %d bytes, allowed are %d; use larger clusters"
              .formatted(
                  file.name(),
                  diskSize,
                  entries,
                  geometry.clusterSize(),
                  Geometry.MAX_L1_BYTES / Geometry.L1_ENTRY_SIZE));
    }
    for (NewImageOptions.NewBitmap bitmap : options.bitmaps()) {
      SerializedBitmap.checkStorable(diskSize, bitmap.granularityBits(), geometry.clusterBits());
    }
    refcounts = new SequentialRefcounts(file, geometry);
    l1 = new long[(int) entries];
    l2 = ByteBuffer.allocate(geometry.clusterSize());
    refcounts.allocate(1); // the header's
    encryption = luks.isEmpty() ? Optional.empty() : Optional.of(writeLuks(luks.get()));
  }

  /** How an image is encrypted, and where its header says so. */
  private record Encryption(ImageCipher cipher, HeaderExtension.FullDiskEncryption pointer) {}

  private Encryption writeLuks(NewLuks luks) throws IOException {
    ByteBuffer area = luks.area();
    long offset = refcounts.allocate(geometry.clustersFor(area.remaining()));
    file.write(offset, area);
    return new Encryption(ImageCipher.luks(luks.key()), luks.pointer(offset));
  }

  @Override
  public int unit() {
    return geometry.clusterSize();
  }

  @Override
  public boolean startsZero() {
    return options.backing().isEmpty();
  }

  @Override
  public long diskSize() {
    return diskSize;
  }

  @Override
  public void place(Chunk chunk) throws IOException {
    for (int i = 0; options.version() < 3 && i < chunk.units(); i++) {
      if (chunk.fate(i) == Chunk.Fate.ZERO) {
        chunk.set(i, Chunk.Fate.PLAIN); // version 2 knows no zero clusters
      }
    }
    placePlain(chunk);
    for (int i = 0; i < chunk.units(); i++) {
      if (chunk.fate(i) == Chunk.Fate.COMPRESSED) {
        refuseInTheClear();
        chunk.place(i, placePacked(chunk.packedLength(i)));
      }
    }
    for (int i = 0; i < chunk.units(); i++) {
      if (chunk.fate(i) != Chunk.Fate.LEFT_OUT) {
        map(chunk.guestOffset(i), entry(chunk, i));
      }
    }
    refcounts.writeFinished(firstOpenCluster());
  }

  private void refuseInTheClear() throws UnsupportedFeatureException {
    if (encryption.isPresent()) {
      throw new UnsupportedFeatureException(
          file.name() + ": compressed clusters of an encrypted image would be stored in the clear");
    }
  }

  private void placePlain(Chunk chunk) throws IOException {
    int plain = 0;
    for (int i = 0; i < chunk.units(); i++) {
      plain += chunk.fate(i) == Chunk.Fate.PLAIN ? 1 : 0;
    }
    long at = plain == 0 ? 0 : refcounts.allocate(plain);
    for (int i = 0; i < chunk.units(); i++) {
      if (chunk.fate(i) == Chunk.Fate.PLAIN) {
        chunk.place(i, at);
        at += geometry.clusterSize();
      }
    }
  }

  /** Packs behind the last packed cluster, as far as room and refcounts allow. */
  private long placePacked(int length) throws IOException {
    int inCluster = geometry.offsetInCluster(packedEnd);
    int room = inCluster == 0 ? 0 : geometry.clusterSize() - inCluster;
    long cluster = packedEnd >>> geometry.clusterBits();
    boolean crosses = length > room;
    boolean adjacent = refcounts.allocated() == cluster + 1;
    long at;
    if (room > 0 && (!crosses || adjacent) && refcounts.addReference(cluster)) {
      at = packedEnd;
      if (crosses) {
        refcounts.allocate(geometry.clustersFor(length - room));
      }
    } else {
      at = refcounts.allocate(geometry.clustersFor(length));
    }
    packedEnd = at + length;
    return at;
  }

  private long firstOpenCluster() {
    return geometry.offsetInCluster(packedEnd) == 0
        ? refcounts.allocated()
        : packedEnd >>> geometry.clusterBits();
  }

  private L2Entry entry(Chunk chunk, int index) {
    return switch (chunk.fate(index)) {
      case LEFT_OUT -> L2Entry.UNALLOCATED;
      case ZERO -> zeroEntry();
      case PLAIN ->
          geometry.extendedL2()
              ? L2Entry.extended(chunk.hostOffset(index), true, -1, 0)
              : L2Entry.data(chunk.hostOffset(index), true);
      case COMPRESSED ->
          L2Entry.compressed(
              new CompressedDescriptor(chunk.hostOffset(index), chunk.packedLength(index)),
              geometry);
    };
  }

  private L2Entry zeroEntry() {
    return geometry.extendedL2() ? L2Entry.EXTENDED_ZERO_PLAIN : L2Entry.ZERO_PLAIN;
  }

  @Override
  public void placeZeroes(long at, long length) throws IOException {
    if (startsZero()) {
      return;
    }
    if (options.version() < 3) {
      throw new UnsupportedFeatureException(
          file.name() + ": zeroes over a backing file need version 3 (compat=1.1)");
    }
    for (long position = at; position < at + length; position += geometry.clusterSize()) {
      map(position, zeroEntry());
    }
    refcounts.writeFinished(firstOpenCluster());
  }

  private void map(long guestOffset, L2Entry entry) throws IOException {
    long index = geometry.l1Index(guestOffset);
    if (index != l2Index) {
      writeL2();
      l2Index = index;
    }
    int at = geometry.l2Index(guestOffset) * geometry.l2EntrySize();
    l2.putLong(at, entry.word());
    if (geometry.extendedL2()) {
      l2.putLong(at + Long.BYTES, entry.bitmap());
    }
  }

  private void writeL2() throws IOException {
    if (l2Index >= 0) {
      long offset = refcounts.allocate(1);
      file.write(offset, l2.clear());
      l1[(int) l2Index] = L1Entry.of(offset, true).word();
      Zeroes.fill(l2.clear());
    }
  }

  @Override
  public void write(Chunk chunk) throws IOException {
    if (encryption.isPresent()) {
      chunk.encrypt(encryption.get().cipher());
    }
    chunk.writeTo(file::write);
  }

  @Override
  public void finish() throws IOException {
    writeL2();
    Optional<BitmapsExtension> bitmaps = writeBitmaps();
    long l1Offset = writeL1();
    SequentialRefcounts.Table table = refcounts.finish();
    long end = refcounts.allocated() << geometry.clusterBits();
    if (file.size() < end) {
      file.resize(end);
    }
    file.write(0, head(l1Offset, table, bitmaps.orElse(null)).encode());
    encryption.ifPresent(made -> made.cipher().close());
  }

  private long writeL1() throws IOException {
    // a disk of no bytes has a table of no entries, which still has to be somewhere
    long length = Math.max(1, l1.length) * (long) Geometry.L1_ENTRY_SIZE;
    long offset = refcounts.allocate(geometry.clustersFor(length));
    ByteBuffer bytes = ByteBuffer.allocate(l1.length * Geometry.L1_ENTRY_SIZE);
    bytes.asLongBuffer().put(l1);
    file.write(offset, bytes);
    return offset;
  }

  private Optional<BitmapsExtension> writeBitmaps() throws IOException {
    if (options.bitmaps().isEmpty()) {
      return Optional.empty();
    }
    List<BitmapEntry> entries = new ArrayList<>();
    for (NewImageOptions.NewBitmap bitmap : options.bitmaps()) {
      int length =
          (int)
              SerializedBitmap.tableLength(
                  diskSize, bitmap.granularityBits(), geometry.clusterBits());
      ByteBuffer table = new BitmapTable(length).encode();
      long offset = refcounts.allocate(geometry.clustersFor(table.remaining()));
      file.write(offset, table);
      entries.add(BitmapEntry.valid(bitmap.name(), bitmap.granularityBits(), true, offset, length));
    }
    BitmapDirectory directory = new BitmapDirectory(entries);
    directory.check(diskSize, geometry.clusterBits());
    ByteBuffer bytes = directory.encode();
    int size = bytes.remaining();
    long offset = refcounts.allocate(geometry.clustersFor(size));
    file.write(offset, bytes);
    return Optional.of(new BitmapsExtension(entries.size(), size, offset));
  }

  private ImageHead head(
      long l1Offset, SequentialRefcounts.Table table, @Nullable BitmapsExtension bitmaps) {
    HeaderBuilder header = new HeaderBuilder();
    List<HeaderExtension> extensions = new ArrayList<>();
    options
        .backing()
        .ifPresent(backing -> extensions.add(HeaderExtension.BackingFormat.of(backing.format())));
    if (options.version() == 2) {
      header.version2();
    } else {
      FeatureBits features = FeatureBits.NONE;
      features = geometry.extendedL2() ? features.with(Feature.EXTENDED_L2) : features;
      features = options.lazyRefcounts() ? features.with(Feature.LAZY_REFCOUNTS) : features;
      features = bitmaps == null ? features : features.with(Feature.BITMAPS);
      header
          .features(features)
          .refcountWidth(geometry.refcountWidth())
          .compressionType(options.compressionType());
      if (geometry.clusterBits() > Geometry.MIN_CLUSTER_BITS) {
        extensions.add(HeaderExtension.FeatureNameTable.ofKnownFeatures());
      }
      if (bitmaps != null) {
        extensions.add(
            new HeaderExtension.Bitmaps(Bytes.take(bitmaps.encode(), BitmapsExtension.SIZE)));
      }
    }
    encryption.ifPresent(made -> {
      header.cryptMethod(CryptMethod.LUKS);
      extensions.add(made.pointer());
    });
    Header fields =
        header
            .clusterBits(geometry.clusterBits())
            .size(diskSize)
            .l1Table(l1Offset, l1.length)
            .refcountTable(table.offset(), table.clusters())
            .build();
    Bytes name =
        options.backing().map(NewImageOptions.Backing::name).map(Bytes::utf8).orElse(Bytes.EMPTY);
    return new ImageHead(fields, extensions, name);
  }
}
