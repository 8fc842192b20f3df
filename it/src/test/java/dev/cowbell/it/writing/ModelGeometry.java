package dev.cowbell.it.writing;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.qcow2.write.LazyRefcounts;
import java.nio.file.Path;
import java.util.Random;

/**
 * A random kind of image for a model test.
 *
 * @param refcountBits 16 for version 2
 * @param extended whether L2 entries are extended ones
 * @param dataFile whether guest data is in a file of its own
 * @param backing the size of the backing file; 0 for none
 */
record ModelGeometry(
    int version,
    int clusterSize,
    int refcountBits,
    boolean zstd,
    boolean extended,
    boolean dataFile,
    boolean rawDataFile,
    int backing,
    int diskSize) {
  private static final int SECTOR = 512;
  private static final int MIN_EXTENDED = 16384;

  static ModelGeometry any(Random random) {
    // Small clusters make the most of a change, large ones the most of a byte.
    int bits = random.nextInt(3) == 0 ? 9 + random.nextInt(13) : 9 + random.nextInt(5);
    int clusterSize = 1 << bits;
    boolean version2 = random.nextInt(5) == 0;
    boolean dataFile = !version2 && random.nextInt(6) == 0;
    boolean raw = dataFile && random.nextBoolean();
    int size = sectors(random, Math.clamp(40L * clusterSize, 128 << 10, 6 << 20));
    return new ModelGeometry(
        version2 ? 2 : 3,
        clusterSize,
        version2 ? 16 : 1 << random.nextInt(7),
        !version2 && random.nextBoolean(),
        !version2 && clusterSize >= MIN_EXTENDED && random.nextBoolean(),
        dataFile,
        raw,
        !raw && random.nextBoolean() ? sectors(random, 2 * size) : 0,
        size);
  }

  /** How refcounts may be written this time. */
  LazyRefcounts lazyRefcounts(Random random) {
    return version == 3 && random.nextBoolean() ? LazyRefcounts.ON : LazyRefcounts.AS_STATED;
  }

  private static int sectors(Random random, int most) {
    return (1 + random.nextInt(most / SECTOR)) * SECTOR;
  }

  /** The largest size that the disk is given. */
  int maxSize() {
    return Math.max(2 * diskSize, 256 << 10);
  }

  boolean canHaveSnapshots() {
    return !dataFile;
  }

  Path create(Path folder, Random random) {
    Path image = folder.resolve("image.qcow2");
    String options = "cluster_size=" + clusterSize;
    options += version == 2 ? ",compat=0.10" : ",compat=1.1,refcount_bits=" + refcountBits;
    options += zstd ? ",compression_type=zstd" : "";
    options += extended ? ",extended_l2=on" : "";
    options += dataFile ? ",data_file=" + folder.resolve("guest.data") : "";
    options += rawDataFile ? ",data_file_raw=on" : "";
    if (backing == 0) {
      QemuImg.create(image, options, diskSize);
      return image;
    }
    Path base = folder.resolve("base.qcow2");
    QemuImg.create(base, "cluster_size=4096", backing);
    QemuIo.of(base, WrittenVariant.changes(random, backing, 8));
    QemuImg.createOver(image, options, base.toString(), "qcow2", diskSize);
    return image;
  }
}
