package dev.cowbell.qcow2.format;

/** A header in the making: a copy of an existing one, or a new one with version 3's defaults. */
public final class HeaderBuilder {
  private static final int PADDING_V3 = Header.LENGTH_V3 - Header.COMPRESSION_TYPE.end();

  private int version = 3;
  private long backingFileOffset;
  private int backingFileSize;
  private int clusterBits = 16;
  private long size;
  private CryptMethod cryptMethod = CryptMethod.NONE;
  private int l1Size;
  private long l1TableOffset;
  private long refcountTableOffset;
  private long refcountTableClusters;
  private long nbSnapshots;
  private long snapshotsOffset;
  private FeatureBits features = FeatureBits.NONE;
  private RefcountWidth refcountWidth = RefcountWidth.DEFAULT;
  private int headerLength = Header.LENGTH_V3;
  private CompressionType compressionType = CompressionType.ZLIB;
  private Bytes unknownFields = Bytes.copyOf(new byte[PADDING_V3]);

  /** A version 3 header with 64 KiB clusters, 16-bit refcounts, zlib, and no tables yet. */
  public HeaderBuilder() {}

  HeaderBuilder(Header from) {
    version = from.version();
    backingFileOffset = from.backingFileOffset();
    backingFileSize = from.backingFileSize();
    clusterBits = from.clusterBits();
    size = from.size();
    cryptMethod = from.cryptMethod();
    l1Size = from.l1Size();
    l1TableOffset = from.l1TableOffset();
    refcountTableOffset = from.refcountTableOffset();
    refcountTableClusters = from.refcountTableClusters();
    nbSnapshots = from.nbSnapshots();
    snapshotsOffset = from.snapshotsOffset();
    features = from.features();
    refcountWidth = from.refcountWidth();
    headerLength = from.headerLength();
    compressionType = from.compressionType();
    unknownFields = from.unknownFields();
  }

  /** Makes it a version 2 header: no feature bits, 16-bit refcounts, zlib. */
  public HeaderBuilder version2() {
    version = 2;
    features = FeatureBits.NONE;
    refcountWidth = RefcountWidth.DEFAULT;
    headerLength = Header.LENGTH_V2;
    compressionType = CompressionType.ZLIB;
    unknownFields = Bytes.EMPTY;
    return this;
  }

  /** Makes it a version 3 header; what version 2 had no field for gets its default. */
  public HeaderBuilder version3() {
    if (version < 3) {
      version = 3;
      headerLength = Header.LENGTH_V3;
      unknownFields = Bytes.copyOf(new byte[PADDING_V3]);
    }
    return this;
  }

  /** Where the backing file's name stands; {@link ImageHead#encode} sets it by itself. */
  public HeaderBuilder backingFile(long offset, int length) {
    backingFileOffset = offset;
    backingFileSize = length;
    return this;
  }

  public HeaderBuilder clusterBits(int bits) {
    clusterBits = bits;
    return this;
  }

  public HeaderBuilder size(long bytes) {
    size = bytes;
    return this;
  }

  public HeaderBuilder cryptMethod(CryptMethod method) {
    cryptMethod = method;
    return this;
  }

  public HeaderBuilder l1Table(long offset, int entries) {
    l1TableOffset = offset;
    l1Size = entries;
    return this;
  }

  public HeaderBuilder refcountTable(long offset, long clusters) {
    refcountTableOffset = offset;
    refcountTableClusters = clusters;
    return this;
  }

  public HeaderBuilder snapshots(long offset, long count) {
    snapshotsOffset = offset;
    nbSnapshots = count;
    return this;
  }

  public HeaderBuilder features(FeatureBits bits) {
    features = bits;
    return this;
  }

  public HeaderBuilder refcountWidth(RefcountWidth width) {
    refcountWidth = width;
    return this;
  }

  /** The compression type, and the feature bit that goes with it. */
  public HeaderBuilder compressionType(CompressionType type) {
    compressionType = type;
    features =
        type == CompressionType.ZLIB
            ? features.without(Feature.COMPRESSION_TYPE)
            : features.with(Feature.COMPRESSION_TYPE);
    if (type != CompressionType.ZLIB && headerLength < Header.LENGTH_V3) {
      headerLength = Header.LENGTH_V3;
      unknownFields = Bytes.copyOf(new byte[PADDING_V3]);
    }
    return this;
  }

  public Header build() {
    return new Header(
        version,
        backingFileOffset,
        backingFileSize,
        clusterBits,
        size,
        cryptMethod,
        l1Size,
        l1TableOffset,
        refcountTableOffset,
        refcountTableClusters,
        nbSnapshots,
        snapshotsOffset,
        features,
        refcountWidth,
        headerLength,
        compressionType,
        unknownFields);
  }
}
