package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.RefcountWidth;
import java.util.List;
import java.util.Optional;

/**
 * What a new qcow2 image is to be like.
 *
 * @param version 2 or 3
 * @param geometry cluster size, refcount width, and whether L2 entries are extended
 * @param compressionType how compressed clusters are packed
 * @param lazyRefcounts whether writers may update refcounts late
 * @param backing the backing file
 * @param bitmaps persistent bitmaps that the image starts with, all clean
 */
public record NewImageOptions(
    int version,
    Geometry geometry,
    CompressionType compressionType,
    boolean lazyRefcounts,
    Optional<Backing> backing,
    List<NewBitmap> bitmaps) {

  /** QEMU's defaults: version 3, 64 KiB clusters, 16-bit refcounts, zlib. */
  public static final NewImageOptions DEFAULT =
      new NewImageOptions(
          3,
          new Geometry(16, false, RefcountWidth.DEFAULT),
          CompressionType.ZLIB,
          false,
          Optional.empty(),
          List.of());

  /** A reference to a backing file, written into the header as it is. */
  public record Backing(String name, String format) {}

  /** An empty, enabled bitmap. */
  public record NewBitmap(String name, int granularityBits) {}

  /**
   * @throws IllegalArgumentException if the options contradict each other
   */
  public NewImageOptions {
    bitmaps = List.copyOf(bitmaps);
    boolean old = version == 2;
    if (version != 2 && version != 3) {
      throw new IllegalArgumentException("version " + version + "; there are 2 and 3");
    }
    if (old && !geometry.refcountWidth().equals(RefcountWidth.DEFAULT)) {
      throw new IllegalArgumentException("version 2 has 16-bit refcounts only");
    }
    if (old && (geometry.extendedL2() || lazyRefcounts)) {
      throw new IllegalArgumentException(
          "extended L2 entries and lazy refcounts need version 3 (compat=1.1)");
    }
    if (old && (compressionType != CompressionType.ZLIB || !bitmaps.isEmpty())) {
      throw new IllegalArgumentException(
          "zstd compression and bitmaps need version 3 (compat=1.1)");
    }
  }

  public NewImageOptions withBacking(String name, String format) {
    return new NewImageOptions(
        version,
        geometry,
        compressionType,
        lazyRefcounts,
        Optional.of(new Backing(name, format)),
        bitmaps);
  }

  /** The same image with one more empty bitmap. */
  public NewImageOptions withBitmap(String name, int granularityBits) {
    List<NewBitmap> more = new java.util.ArrayList<>(bitmaps);
    more.add(new NewBitmap(name, granularityBits));
    return new NewImageOptions(version, geometry, compressionType, lazyRefcounts, backing, more);
  }
}
