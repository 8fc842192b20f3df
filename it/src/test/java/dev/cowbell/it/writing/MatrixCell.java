package dev.cowbell.it.writing;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** One feature of the format with one cluster size and one refcount width. */
record MatrixCell(Feature feature, int clusterSize, int refcountBits) {
  private static final int KIB = 1 << 10;

  /** What is special about an image. */
  enum Feature {
    PLAIN,
    VERSION_2,
    BACKING,
    ZLIB,
    ZSTD,
    EXTENDED_L2,
    LUKS,
    DATA_FILE,
    RAW_DATA_FILE,
    SNAPSHOT,
    BITMAP,
    LAZY_REFCOUNTS,
    PREALLOCATED_METADATA,
    PREALLOCATED_SPACE,
    PREALLOCATED_FULL
  }

  static List<MatrixCell> all() {
    List<MatrixCell> all = new ArrayList<>();
    for (Feature feature : Feature.values()) {
      for (int clusterSize : new int[] {512, 4 * KIB, 64 * KIB, 2048 * KIB}) {
        for (int refcountBits : new int[] {1, 16, 64}) {
          all.add(new MatrixCell(feature, clusterSize, refcountBits));
        }
      }
    }
    return all;
  }

  /** Whether the format has no such image. */
  boolean isImpossible() {
    return switch (feature) {
      case VERSION_2 -> refcountBits != 16;
      case EXTENDED_L2 -> clusterSize < 16 * KIB;
      default -> false;
    };
  }

  /** One-bit refcounts can count no second reference. */
  boolean canShareClusters() {
    return refcountBits > 1;
  }

  /** Whether a new disk holds nothing. */
  boolean startsEmpty() {
    return !isCompressed() && feature != Feature.BACKING;
  }

  boolean isCompressed() {
    return feature == Feature.ZLIB || feature == Feature.ZSTD;
  }

  boolean isPreallocated() {
    return switch (feature) {
      case RAW_DATA_FILE, PREALLOCATED_METADATA, PREALLOCATED_SPACE, PREALLOCATED_FULL -> true;
      default -> false;
    };
  }

  /** No multiple of the cluster size where clusters are more than a sector. */
  int diskSize() {
    return Math.clamp(80L * clusterSize, 512 * KIB, 6 * KIB * KIB) + clusterSize / KIB * 512;
  }

  /** For {@code -o}, apart from encryption. */
  String options(Path dataFile) {
    String common = "cluster_size=" + clusterSize + ",refcount_bits=" + refcountBits;
    String compat = feature == Feature.VERSION_2 ? ",compat=0.10" : ",compat=1.1";
    return common
        + compat
        + switch (feature) {
          case PLAIN, VERSION_2, BACKING, LUKS, SNAPSHOT, BITMAP -> "";
          case ZLIB -> ",compression_type=zlib";
          case ZSTD -> ",compression_type=zstd";
          case EXTENDED_L2 -> ",extended_l2=on";
          case DATA_FILE -> ",data_file=" + dataFile;
          case RAW_DATA_FILE -> ",data_file_raw=on,data_file=" + dataFile;
          case LAZY_REFCOUNTS -> ",lazy_refcounts=on";
          case PREALLOCATED_METADATA -> ",preallocation=metadata";
          case PREALLOCATED_SPACE -> ",preallocation=falloc";
          case PREALLOCATED_FULL -> ",preallocation=full";
        };
  }

  @Override
  public String toString() {
    return "%s, clusters of %d, %d-bit refcounts".formatted(feature, clusterSize, refcountBits);
  }
}
