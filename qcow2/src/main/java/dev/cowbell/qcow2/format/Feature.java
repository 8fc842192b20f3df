package dev.cowbell.qcow2.format;

/** A feature bit that qcow2 version 3 defines (specification: "Header"). */
public enum Feature {
  /** Refcounts may be wrong because the image was not closed. */
  DIRTY(Kind.INCOMPATIBLE, 0, "dirty bit"),
  /** Some structure is known to be damaged; writing is refused until a repair. */
  CORRUPT(Kind.INCOMPATIBLE, 1, "corrupt bit"),
  /** Guest data lies in another file, at the guest's own offsets. */
  EXTERNAL_DATA_FILE(Kind.INCOMPATIBLE, 2, "external data file"),
  /** The compression type is not zlib. */
  COMPRESSION_TYPE(Kind.INCOMPATIBLE, 3, "compression type"),
  /** L2 entries are 16 bytes and describe 32 subclusters each. */
  EXTENDED_L2(Kind.INCOMPATIBLE, 4, "extended L2 entries"),
  /** Refcounts may be written late while {@link #DIRTY} is set. */
  LAZY_REFCOUNTS(Kind.COMPATIBLE, 0, "lazy refcounts"),
  /** The bitmaps extension is consistent with the image. */
  BITMAPS(Kind.AUTOCLEAR, 0, "bitmaps"),
  /** The external data file is a raw image of the disk by itself. */
  RAW_EXTERNAL_DATA(Kind.AUTOCLEAR, 1, "raw external data");

  /** The three words of feature bits. */
  public enum Kind {
    /** A reader that doesn't know the bit must refuse the image. */
    INCOMPATIBLE(0),
    /** The bit may be ignored. */
    COMPATIBLE(1),
    /** A writer that doesn't know the bit must clear it. */
    AUTOCLEAR(2);

    private final int code;

    Kind(int code) {
      this.code = code;
    }

    /** The type byte in a feature name table. */
    public int code() {
      return code;
    }
  }

  private final Kind kind;
  private final int bit;
  private final String title;

  Feature(Kind kind, int bit, String title) {
    this.kind = kind;
    this.bit = bit;
    this.title = title;
  }

  public Kind kind() {
    return kind;
  }

  /** The number of the bit in its word, 0 to 63. */
  public int bit() {
    return bit;
  }

  public long mask() {
    return 1L << bit;
  }

  /** The name that feature name tables give the bit. */
  public String title() {
    return title;
  }

  /** All defined bits of one kind. */
  static long known(Kind kind) {
    long mask = 0;
    for (Feature feature : values()) {
      if (feature.kind == kind) {
        mask |= feature.mask();
      }
    }
    return mask;
  }
}
