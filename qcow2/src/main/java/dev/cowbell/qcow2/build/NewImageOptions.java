package dev.cowbell.qcow2.build;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.RefcountWidth;
import java.io.IOException;
import java.util.ArrayList;
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
 * @param bitmaps persistent bitmaps that the image starts with
 * @param dataFile the file that guest data goes to, if not to the image itself
 * @param preallocation what space is taken for clusters that hold nothing
 */
public record NewImageOptions(
    int version,
    Geometry geometry,
    CompressionType compressionType,
    boolean lazyRefcounts,
    Optional<Backing> backing,
    List<NewBitmap> bitmaps,
    Optional<DataFile> dataFile,
    Preallocation preallocation) {

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

  /**
   * An external data file.
   *
   * @param name written into the header as it is
   * @param raw whether the file has to be a valid raw image at any time
   */
  public record DataFile(String name, boolean raw) {}

  /**
   * A bitmap that the image starts with.
   *
   * @param enabled whether it records writes
   * @param content its bits, of the disk's size and this granularity
   */
  public record NewBitmap(
      String name, int granularityBits, boolean enabled, BitmapContent content) {}

  /** Brings a bitmap's bits when they are to be written, so that only one has to be held. */
  @FunctionalInterface
  public interface BitmapContent {
    DirtyBitmap load() throws IOException;
  }

  /** An image with all its data in itself and nothing preallocated. */
  public NewImageOptions(
      int version,
      Geometry geometry,
      CompressionType compressionType,
      boolean lazyRefcounts,
      Optional<Backing> backing,
      List<NewBitmap> bitmaps) {
    this(
        version,
        geometry,
        compressionType,
        lazyRefcounts,
        backing,
        bitmaps,
        Optional.empty(),
        Preallocation.OFF);
  }

  /**
   * @throws IllegalArgumentException if the options contradict each other
   */
  public NewImageOptions {
    bitmaps = List.copyOf(bitmaps);
    boolean old = version == 2;
    boolean raw = dataFile.isPresent() && dataFile.get().raw();
    if (raw && preallocation == Preallocation.OFF) {
      preallocation = Preallocation.METADATA; // a raw file has a place for every cluster
    }
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
    if (old && dataFile.isPresent()) {
      throw new IllegalArgumentException("a data file needs version 3 (compat=1.1)");
    }
    if (raw && backing.isPresent()) {
      throw new IllegalArgumentException("a raw data file can't be combined with a backing file");
    }
    if (backing.isPresent() && preallocation != Preallocation.OFF && !geometry.extendedL2()) {
      throw new IllegalArgumentException(
          "preallocation over a backing file needs extended L2 entries (extended_l2=on)");
    }
  }

  public NewImageOptions withBacking(String name, String format) {
    return new NewImageOptions(
        version,
        geometry,
        compressionType,
        lazyRefcounts,
        Optional.of(new Backing(name, format)),
        bitmaps,
        dataFile,
        preallocation);
  }

  /** The same image with one more bitmap, enabled and empty. */
  public NewImageOptions withBitmap(String name, int granularityBits, long diskSize) {
    return withBitmap(
        new NewBitmap(
            name, granularityBits, true, () -> new DirtyBitmap(diskSize, granularityBits)));
  }

  /** The same image with one more bitmap. */
  public NewImageOptions withBitmap(NewBitmap bitmap) {
    List<NewBitmap> more = new ArrayList<>(bitmaps);
    more.add(bitmap);
    return new NewImageOptions(
        version, geometry, compressionType, lazyRefcounts, backing, more, dataFile, preallocation);
  }

  /** Whether every cluster is to have a place, whatever it holds. */
  boolean preallocates() {
    return preallocation != Preallocation.OFF;
  }
}
