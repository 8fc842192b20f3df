package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.compress.FrameCodec;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.RefcountWidth;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * What an overlay is to be, apart from its content.
 *
 * @param diskSize the disk's size in bytes, 0 or more; qcow2 rounds it up to {@value #SECTOR}
 * @param clusterSize a power of two from {@value #MIN_CLUSTER} to {@value #MAX_CLUSTER} bytes, see
 *     {@link OverlaySizing}
 * @param backingFile the bare name of the parent's overlay; empty for a full
 * @param identity whose content it is
 * @param level how hard zstd packs, 1 to 19
 */
public record OverlaySpec(
    long diskSize,
    int clusterSize,
    Optional<String> backingFile,
    OverlayIdentity identity,
    int level) {

  public static final int MIN_CLUSTER = 4 << 10;
  public static final int MAX_CLUSTER = 2 << 20;
  static final int SECTOR = 512;
  private static final int MAX_LEVEL = 19;

  public OverlaySpec {
    if (diskSize < 0 || diskSize > Long.MAX_VALUE - MAX_CLUSTER) {
      throw new IllegalArgumentException("disk size is " + diskSize);
    }
    if (clusterSize < MIN_CLUSTER
        || clusterSize > MAX_CLUSTER
        || Integer.bitCount(clusterSize) != 1) {
      throw new IllegalArgumentException(
          "cluster size is %d, allowed are powers of two from %d to %d"
              .formatted(clusterSize, MIN_CLUSTER, MAX_CLUSTER));
    }
    if (level < 1 || level > MAX_LEVEL) {
      throw new IllegalArgumentException("compression level is " + level + ", allowed are 1 to 19");
    }
    backingFile.ifPresent(OverlaySpec::checkName);
    Geometry geometry = geometry(clusterSize);
    if (geometry.l1EntriesFor(diskSize) * Geometry.L1_ENTRY_SIZE > Geometry.MAX_L1_BYTES) {
      throw new IllegalArgumentException(
          "clusters of %d bytes are too small for a disk of %d bytes"
              .formatted(clusterSize, diskSize));
    }
  }

  /** A spec with the usual compression level. */
  public OverlaySpec(
      long diskSize, int clusterSize, Optional<String> backingFile, OverlayIdentity identity) {
    this(diskSize, clusterSize, backingFile, identity, FrameCodec.DEFAULT_LEVEL);
  }

  /** The bytes of the head, which the sink's owner puts before the body: one cluster. */
  public int headLength() {
    return clusterSize;
  }

  /** The disk's size as the image says it: a multiple of {@value #SECTOR}. */
  long imageSize() {
    return (diskSize + SECTOR - 1) & -SECTOR;
  }

  Geometry geometry() {
    return geometry(clusterSize);
  }

  static Geometry geometry(int clusterSize) {
    return new Geometry(Integer.numberOfTrailingZeros(clusterSize), false, RefcountWidth.DEFAULT);
  }

  private static void checkName(String name) {
    int length = name.getBytes(StandardCharsets.UTF_8).length;
    if (length == 0
        || length > Header.MAX_BACKING_FILE_NAME
        || name.indexOf('/') >= 0
        || name.indexOf(':') >= 0) {
      throw new IllegalArgumentException("not a bare file name: \"" + name + "\"");
    }
  }
}
