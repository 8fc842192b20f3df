package dev.cowbell.qcow2.format;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import java.nio.ByteBuffer;

/**
 * The header's fixed fields (specification: "Header"). Counts and offsets are as found, within what
 * {@link #decode} and {@link #checkTables} say.
 *
 * @param version 2 or 3
 * @param backingFileOffset where the backing file's name starts in the first cluster; 0 for none
 * @param backingFileSize the bytes of that name
 * @param clusterBits 9 to 21
 * @param size the disk's size in bytes, as stored; see {@link #diskSize()}
 * @param cryptMethod how guest data is encrypted
 * @param l1Size the entries of the active L1 table
 * @param refcountTableClusters the length of the refcount table
 * @param nbSnapshots the entries of the snapshot table
 * @param features all zero in version 2
 * @param refcountWidth 16 bits in version 2
 * @param headerLength the bytes of the header: 72 in version 2, at least 104 in version 3
 * @param compressionType how compressed clusters are packed
 * @param unknownFields what follows the compression type up to the header's length
 */
public record Header(
    int version,
    long backingFileOffset,
    int backingFileSize,
    int clusterBits,
    long size,
    CryptMethod cryptMethod,
    int l1Size,
    long l1TableOffset,
    long refcountTableOffset,
    long refcountTableClusters,
    long nbSnapshots,
    long snapshotsOffset,
    FeatureBits features,
    RefcountWidth refcountWidth,
    int headerLength,
    CompressionType compressionType,
    Bytes unknownFields) {

  public static final int MAGIC_NUMBER = 0x514649fb;
  public static final int LENGTH_V2 = 72;
  public static final int MIN_LENGTH_V3 = 104;

  /** The length that QEMU writes: with the compression type, padded to 8 bytes. */
  public static final int LENGTH_V3 = 112;

  /** The longest name of a backing file, in bytes. */
  public static final int MAX_BACKING_FILE_NAME = 1023;

  public static final int MAX_SNAPSHOTS = 65536;

  public static final Field MAGIC = Field.u32("magic", 0);
  public static final Field VERSION = Field.u32("version", 4);
  public static final Field BACKING_FILE_OFFSET = Field.u64("backing_file_offset", 8);
  public static final Field BACKING_FILE_SIZE = Field.u32("backing_file_size", 16);
  public static final Field CLUSTER_BITS = Field.u32("cluster_bits", 20);
  public static final Field SIZE = Field.u64("size", 24);
  public static final Field CRYPT_METHOD = Field.u32("crypt_method", 32);
  public static final Field L1_SIZE = Field.u32("l1_size", 36);
  public static final Field L1_TABLE_OFFSET = Field.u64("l1_table_offset", 40);
  public static final Field REFCOUNT_TABLE_OFFSET = Field.u64("refcount_table_offset", 48);
  public static final Field REFCOUNT_TABLE_CLUSTERS = Field.u32("refcount_table_clusters", 56);
  public static final Field NB_SNAPSHOTS = Field.u32("nb_snapshots", 60);
  public static final Field SNAPSHOTS_OFFSET = Field.u64("snapshots_offset", 64);
  public static final Field INCOMPATIBLE_FEATURES = Field.u64("incompatible_features", 72);
  public static final Field COMPATIBLE_FEATURES = Field.u64("compatible_features", 80);
  public static final Field AUTOCLEAR_FEATURES = Field.u64("autoclear_features", 88);
  public static final Field REFCOUNT_ORDER = Field.u32("refcount_order", 96);
  public static final Field HEADER_LENGTH = Field.u32("header_length", 100);
  public static final Field COMPRESSION_TYPE = Field.u8("compression_type", 104);

  private static final int SECTOR = 512;

  /**
   * Reads the fields and checks those that decide how the rest is read. Where tables lie is checked
   * by {@link #checkTables}.
   *
   * @param cluster the image's first bytes from index 0, at least {@link #LENGTH_V3}, with zeroes
   *     for what lies behind the file's end, and all of the header
   * @throws CorruptImageException if a value is outside its bounds
   * @throws UnsupportedFeatureException if the version, the encryption or the compression is
   *     unknown
   */
  public static Header decode(ByteBuffer cluster)
      throws CorruptImageException, UnsupportedFeatureException {
    int clusterSize = clusterSize(cluster);
    int version = version(cluster);
    int clusterBits = Integer.numberOfTrailingZeros(clusterSize);
    boolean v3 = version >= 3;
    int length = v3 ? bounded(HEADER_LENGTH, cluster, MIN_LENGTH_V3, clusterSize) : LENGTH_V2;
    if (length > cluster.limit()) {
      throw new IllegalArgumentException("the header has " + length + " bytes, given are fewer");
    }
    FeatureBits features =
        v3
            ? new FeatureBits(
                INCOMPATIBLE_FEATURES.get(cluster),
                COMPATIBLE_FEATURES.get(cluster),
                AUTOCLEAR_FEATURES.get(cluster))
            : FeatureBits.NONE;
    boolean hasCompression = length >= COMPRESSION_TYPE.end();
    long backingOffset = BACKING_FILE_OFFSET.get(cluster);
    return new Header(
        version,
        backingOffset,
        backingFileSize(cluster, backingOffset, clusterSize),
        clusterBits,
        size(cluster),
        CryptMethod.of(CRYPT_METHOD.get(cluster)),
        bounded(L1_SIZE, cluster, 0, Geometry.MAX_L1_BYTES / Geometry.L1_ENTRY_SIZE),
        L1_TABLE_OFFSET.get(cluster),
        REFCOUNT_TABLE_OFFSET.get(cluster),
        REFCOUNT_TABLE_CLUSTERS.get(cluster),
        NB_SNAPSHOTS.get(cluster),
        SNAPSHOTS_OFFSET.get(cluster),
        features,
        v3
            ? new RefcountWidth(bounded(REFCOUNT_ORDER, cluster, 0, RefcountWidth.MAX_ORDER))
            : RefcountWidth.DEFAULT,
        length,
        hasCompression ? CompressionType.of(COMPRESSION_TYPE.get(cluster)) : CompressionType.ZLIB,
        hasCompression
            ? Bytes.take(
                cluster.duplicate().position(COMPRESSION_TYPE.end()),
                length - COMPRESSION_TYPE.end())
            : Bytes.EMPTY);
  }

  /**
   * The bytes of a cluster, and so of what {@link #decode} wants to see.
   *
   * @param start the image's first bytes from index 0, at least {@link #LENGTH_V2}
   * @throws CorruptImageException if it is no qcow2 image or the size is out of bounds
   */
  public static int clusterSize(ByteBuffer start) throws CorruptImageException {
    if (!isQcow2(start)) {
      throw new CorruptImageException(
          "not a qcow2 image: it starts with %#010x instead of %#010x"
              .formatted(MAGIC.get(start), MAGIC_NUMBER));
    }
    return 1 << bounded(CLUSTER_BITS, start, Geometry.MIN_CLUSTER_BITS, Geometry.MAX_CLUSTER_BITS);
  }

  /** Whether a file that starts with these bytes calls itself qcow2. */
  public static boolean isQcow2(ByteBuffer start) {
    return MAGIC.get(start) == MAGIC_NUMBER;
  }

  /** Puts all fields to index 0 and on of a buffer of at least {@link #headerLength()} bytes. */
  public void encode(ByteBuffer cluster) {
    MAGIC.put(cluster, MAGIC_NUMBER);
    VERSION.put(cluster, version);
    BACKING_FILE_OFFSET.put(cluster, backingFileOffset);
    BACKING_FILE_SIZE.put(cluster, backingFileSize);
    CLUSTER_BITS.put(cluster, clusterBits);
    SIZE.put(cluster, size);
    CRYPT_METHOD.put(cluster, cryptMethod.code());
    L1_SIZE.put(cluster, l1Size);
    L1_TABLE_OFFSET.put(cluster, l1TableOffset);
    REFCOUNT_TABLE_OFFSET.put(cluster, refcountTableOffset);
    REFCOUNT_TABLE_CLUSTERS.put(cluster, refcountTableClusters);
    NB_SNAPSHOTS.put(cluster, nbSnapshots);
    SNAPSHOTS_OFFSET.put(cluster, snapshotsOffset);
    if (version >= 3) {
      INCOMPATIBLE_FEATURES.put(cluster, features.incompatible());
      COMPATIBLE_FEATURES.put(cluster, features.compatible());
      AUTOCLEAR_FEATURES.put(cluster, features.autoclear());
      REFCOUNT_ORDER.put(cluster, refcountWidth.order());
      HEADER_LENGTH.put(cluster, headerLength);
    }
    if (headerLength >= COMPRESSION_TYPE.end()) {
      COMPRESSION_TYPE.put(cluster, compressionType.code());
      cluster.put(COMPRESSION_TYPE.end(), unknownFields.toArray());
    }
  }

  /** Starts a changed copy. */
  public HeaderBuilder change() {
    return new HeaderBuilder(this);
  }

  /** The sizes that follow; only for a header that {@link #checkFeatures} let pass. */
  public Geometry geometry() {
    return new Geometry(clusterBits, features.has(Feature.EXTENDED_L2), refcountWidth);
  }

  /** The disk's size in bytes as QEMU shows it: {@link #size()} rounded down to whole sectors. */
  public long diskSize() {
    return size & -SECTOR;
  }

  /** What else decides the meaning of this image's L2 entries. */
  public L2Rules l2Rules() {
    return new L2Rules(geometry(), version, features.has(Feature.EXTERNAL_DATA_FILE));
  }

  /**
   * Checks that the known feature bits fit with each other and with the rest of the header. Unknown
   * incompatible ones are {@link ImageHead}'s concern, which knows their names.
   */
  public void checkFeatures() throws CorruptImageException {
    if (features.has(Feature.EXTENDED_L2) && clusterBits < Geometry.MIN_CLUSTER_BITS_EXTENDED_L2) {
      throw new CorruptImageException(
          "extended L2 entries with clusters of %d bytes, needed are at least %d"
              .formatted(1 << clusterBits, 1 << Geometry.MIN_CLUSTER_BITS_EXTENDED_L2));
    }
    if (features.has(Feature.COMPRESSION_TYPE) == (compressionType == CompressionType.ZLIB)) {
      throw new CorruptImageException(
          "compression_type is %s but the compression type feature bit is %s"
              .formatted(
                  compressionType, features.has(Feature.COMPRESSION_TYPE) ? "set" : "not set"));
    }
    if (features.has(Feature.RAW_EXTERNAL_DATA) && !features.has(Feature.EXTERNAL_DATA_FILE)) {
      throw new CorruptImageException(
          "the raw external data bit is set but there is no external data file");
    }
  }

  /**
   * Checks length and place of the L1 table, the refcount table and the snapshot table, as QEMU
   * does when it opens an image for use.
   *
   * @throws CorruptImageException if one is out of bounds or the L1 table too small for the disk
   */
  public void checkTables() throws CorruptImageException {
    Geometry geometry = geometry();
    if (refcountTableClusters == 0) {
      throw new CorruptImageException("refcount_table_clusters is 0, needed is at least 1");
    }
    geometry.checkTable(
        "the snapshot table",
        snapshotsOffset,
        nbSnapshots,
        SnapshotEntry.FIXED_LENGTH,
        (long) SnapshotEntry.FIXED_LENGTH * MAX_SNAPSHOTS);
    checkTablesForRepair();
  }

  /** {@link #checkTables} without what a repair can put right: refcounts and snapshots. */
  public void checkTablesForRepair() throws CorruptImageException {
    checkRefcountTable();
    Geometry geometry = geometry();
    geometry.checkL1Table("the active L1 table", l1TableOffset, l1Size);
    long needed = geometry.l1EntriesFor(size);
    if (l1Size < needed) {
      throw new CorruptImageException(
          "l1_size is %d, a disk of %d bytes needs at least %d".formatted(l1Size, size, needed));
    }
  }

  /** Checks length and place of the refcount table alone, which may be empty. */
  public void checkRefcountTable() throws CorruptImageException {
    Geometry geometry = geometry();
    geometry.checkTable(
        "the refcount table",
        refcountTableOffset,
        refcountTableClusters,
        geometry.clusterSize(),
        Geometry.MAX_REFCOUNT_TABLE_BYTES);
  }

  private static int version(ByteBuffer cluster) throws UnsupportedFeatureException {
    long version = VERSION.get(cluster);
    if (version != 2 && version != 3) {
      throw new UnsupportedFeatureException(
          "qcow2 version is " + version + ", readable are 2 and 3");
    }
    return (int) version;
  }

  private static long size(ByteBuffer cluster) throws CorruptImageException {
    long size = SIZE.get(cluster);
    if (size < 0) {
      throw new CorruptImageException(
          "size is %s, allowed is less than 2^63".formatted(Long.toUnsignedString(size)));
    }
    return size;
  }

  private static int backingFileSize(ByteBuffer cluster, long offset, int clusterSize)
      throws CorruptImageException {
    if (offset == 0) {
      return 0;
    }
    if (Long.compareUnsigned(offset, clusterSize) > 0) {
      throw new CorruptImageException(
          "backing_file_offset is %s, allowed are up to %d"
              .formatted(Long.toUnsignedString(offset), clusterSize));
    }
    return bounded(
        BACKING_FILE_SIZE, cluster, 0, (int) Math.min(MAX_BACKING_FILE_NAME, clusterSize - offset));
  }

  private static int bounded(Field field, ByteBuffer cluster, int min, int max)
      throws CorruptImageException {
    long value = field.get(cluster);
    if (value < min || value > max) {
      throw new CorruptImageException(
          "%s is %d, allowed are %d to %d".formatted(field.name(), value, min, max));
    }
    return (int) value;
  }
}
