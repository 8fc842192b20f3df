package dev.cowbell.qcow2.build;

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
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.io.HostFile;
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
  private final L2Tables l2;
  private final Optional<HostFile> dataFile;

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
    this(file, Optional.empty(), diskSize, options, luks);
  }

  /**
   * Begins an image that may be encrypted, and whose data may go to another file.
   *
   * @param dataFile empty in both senses; present if the options name one
   * @param luks as above
   */
  public NewQcow2Image(
      HostFile file,
      Optional<HostFile> dataFile,
      long diskSize,
      NewImageOptions options,
      Optional<NewLuks> luks)
      throws IOException {
    if (dataFile.isPresent() != options.dataFile().isPresent()) {
      throw new IllegalArgumentException("a data file has to be both named and given");
    }
    if (luks.isPresent() && options.version() < 3 && options.preallocates()) {
      throw new UnsupportedFeatureException(
          file.name() + ": preallocation of an encrypted image needs version 3 (compat=1.1)");
    }
    this.file = file;
    this.dataFile = dataFile;
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
    // a disk of no bytes has an L1 entry too: QEMU takes the cluster of an empty table for leaked
    l2 = new L2Tables(file, geometry, refcounts, (int) Math.max(1, entries));
    refcounts.allocate(1); // the header's
    encryption = luks.isEmpty() ? Optional.empty() : Optional.of(writeLuks(luks.get()));
    if (dataFile.isPresent()) {
      dataFile.get().resize(diskSize);
    }
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
    if (options.preallocates()) {
      for (int i = 0; i < chunk.units(); i++) {
        if (chunk.fate(i) == Chunk.Fate.LEFT_OUT || chunk.fate(i) == Chunk.Fate.ZERO) {
          chunk.set(
              i, chunk.fate(i) == Chunk.Fate.ZERO ? Chunk.Fate.RESERVED_ZERO : Chunk.Fate.RESERVED);
        }
      }
    }
    placeWhole(chunk);
    for (int i = 0; i < chunk.units(); i++) {
      if (chunk.fate(i) == Chunk.Fate.COMPRESSED) {
        refuseUnpackable();
        chunk.place(i, placePacked(chunk.packedLength(i)));
      }
    }
    for (int i = 0; i < chunk.units(); i++) {
      if (chunk.fate(i) != Chunk.Fate.LEFT_OUT) {
        l2.map(chunk.guestOffset(i), entry(chunk, i));
      }
    }
    refcounts.writeFinished(firstOpenCluster());
  }

  private void refuseUnpackable() throws UnsupportedFeatureException {
    if (dataFile.isPresent()) {
      throw new UnsupportedFeatureException(
          file.name() + ": an image with a data file can't hold compressed clusters");
    }
    if (encryption.isPresent()) {
      throw new UnsupportedFeatureException(
          file.name() + ": compressed clusters of an encrypted image would be stored in the clear");
    }
  }

  /** Gives the clusters a place that take a whole one. */
  private void placeWhole(Chunk chunk) throws IOException {
    int whole = 0;
    for (int i = 0; i < chunk.units(); i++) {
      whole += chunk.fate(i).takesCluster() ? 1 : 0;
    }
    long at = whole == 0 || dataFile.isPresent() ? 0 : refcounts.allocate(whole);
    for (int i = 0; i < chunk.units(); i++) {
      if (chunk.fate(i).takesCluster()) {
        chunk.place(i, dataFile.isPresent() ? chunk.guestOffset(i) : at);
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
      case RESERVED -> reserved(chunk.hostOffset(index), Shows.BELOW);
      case RESERVED_ZERO -> reserved(chunk.hostOffset(index), Shows.ZEROES);
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
      reserve(at, length, Shows.ZEROES);
      return;
    }
    if (options.version() < 3) {
      throw new UnsupportedFeatureException(
          file.name() + ": zeroes over a backing file need version 3 (compat=1.1)");
    }
    if (options.preallocates()) {
      reserve(at, length, Shows.ZEROES);
    } else {
      l2.mapRun(at, geometry.clustersFor(length), zeroEntry(), 0);
      refcounts.writeFinished(firstOpenCluster());
    }
  }

  /** Leaves the whole disk as it is below, and gives all of it a place where the options say so. */
  public void placeNothing() throws IOException {
    reserve(0, diskSize, Shows.BELOW);
  }

  /** What a cluster with a place and no data reads as. */
  private enum Shows {
    BELOW,
    ZEROES
  }

  /** Gives clusters a place, if the options say so. */
  private void reserve(long at, long length, Shows shows) throws IOException {
    if (!options.preallocates()) {
      return;
    }
    long end = at + length;
    for (long position = at; position < end; ) {
      long next = Math.min((position & -geometry.l2Coverage()) + geometry.l2Coverage(), end);
      long clusters = geometry.clustersFor(next - position);
      long host = dataFile.isPresent() ? position : refcounts.allocate(clusters);
      l2.mapRun(position, clusters, reserved(host, shows), geometry.clusterSize());
      refcounts.writeFinished(firstOpenCluster());
      position = next;
    }
  }

  private L2Entry reserved(long host, Shows shows) {
    // a hole, once decrypted, reads as anything but zeroes
    boolean sayZero = encryption.isPresent() || (shows == Shows.ZEROES && !startsZero());
    if (geometry.extendedL2()) {
      return L2Entry.extended(host, true, 0, sayZero ? -1 : 0);
    }
    return sayZero ? L2Entry.zeroAllocated(host, true) : L2Entry.data(host, true);
  }

  @Override
  public void write(Chunk chunk) throws IOException {
    if (encryption.isPresent()) {
      chunk.encrypt(encryption.get().cipher());
    }
    if (dataFile.isEmpty()) {
      chunk.writeTo(file::write);
      return;
    }
    HostFile data = dataFile.get();
    chunk.writeTo((at, bytes) -> {
      bytes.limit((int) Math.min(bytes.limit(), diskSize - at));
      data.write(at, bytes);
    });
  }

  @Override
  public void finish() throws IOException {
    Optional<BitmapsExtension> bitmaps =
        options.bitmaps().isEmpty()
            ? Optional.empty()
            : Optional.of(
                new NewBitmaps(file, geometry, refcounts, diskSize).write(options.bitmaps()));
    long l1Offset = l2.finish();
    SequentialRefcounts.Table table = refcounts.finish();
    long end = refcounts.allocated() << geometry.clusterBits();
    if (file.size() < end) {
      file.resize(end);
    }
    if (dataFile.isPresent()) {
      options.preallocation().apply(dataFile.get(), diskSize);
    } else {
      options.preallocation().apply(file, end);
    }
    file.write(0, head(l1Offset, table, bitmaps.orElse(null)).encode());
    encryption.ifPresent(made -> made.cipher().close());
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
      if (options.dataFile().isPresent()) {
        NewImageOptions.DataFile data = options.dataFile().get();
        features = features.with(Feature.EXTERNAL_DATA_FILE);
        features = data.raw() ? features.with(Feature.RAW_EXTERNAL_DATA) : features;
        extensions.add(HeaderExtension.ExternalDataFile.of(data.name()));
      }
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
            .l1Table(l1Offset, l2.l1Entries())
            .refcountTable(table.offset(), table.clusters())
            .build();
    Bytes name =
        options.backing().map(NewImageOptions.Backing::name).map(Bytes::utf8).orElse(Bytes.EMPTY);
    return new ImageHead(fields, extensions, name);
  }
}
