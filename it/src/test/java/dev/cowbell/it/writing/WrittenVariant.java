package dev.cowbell.it.writing;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * One kind of image that qemu-img can make and that is to be written to.
 *
 * @param refcountBits 0 for version 2
 * @param layer what is special about it
 */
record WrittenVariant(int clusterSize, int refcountBits, boolean backed, Layer layer) {
  private static final int KIB = 1024;

  /** What is special about an image besides its sizes. */
  enum Layer {
    PLAIN,
    ZSTD,
    EXTENDED,
    LAZY,
    DATA_FILE,
    RAW_DATA_FILE
  }

  static List<WrittenVariant> all() {
    List<WrittenVariant> all = new ArrayList<>();
    for (int clusterSize : new int[] {512, 4 * KIB, 64 * KIB, 2048 * KIB}) {
      for (int bits : new int[] {0, 1, 16, 64}) {
        for (boolean backed : new boolean[] {false, true}) {
          all.add(new WrittenVariant(clusterSize, bits, backed, Layer.PLAIN));
        }
      }
      all.add(new WrittenVariant(clusterSize, 16, true, Layer.ZSTD));
      if (clusterSize >= 64 * KIB) {
        all.add(new WrittenVariant(clusterSize, 16, true, Layer.EXTENDED));
        all.add(new WrittenVariant(clusterSize, 64, false, Layer.EXTENDED));
      }
    }
    all.add(new WrittenVariant(16 * KIB, 16, true, Layer.EXTENDED));
    all.add(new WrittenVariant(64 * KIB, 16, true, Layer.LAZY));
    all.add(new WrittenVariant(64 * KIB, 16, true, Layer.DATA_FILE));
    all.add(new WrittenVariant(4 * KIB, 1, false, Layer.DATA_FILE));
    all.add(new WrittenVariant(64 * KIB, 16, false, Layer.RAW_DATA_FILE));
    return all;
  }

  boolean version2() {
    return refcountBits == 0;
  }

  /** One-bit refcounts can count no second reference. */
  boolean canShare() {
    return refcountBits != 1 && !hasDataFile();
  }

  /** No multiple of the cluster size where clusters are more than a sector. */
  long diskSize() {
    return Math.clamp(100L * clusterSize, 1L << 20, 20L << 20) + clusterSize / 1024 * 512L;
  }

  Path create(Path folder, Random random) {
    Path image = folder.resolve("image.qcow2");
    String options = "cluster_size=" + clusterSize;
    options +=
        version2()
            ? ",compat=0.10"
            : ",compat=1.1,refcount_bits=" + refcountBits + layerOptions(folder);
    if (backed) {
      Path base = folder.resolve("base.qcow2");
      long size = random.nextBoolean() ? diskSize() : diskSize() / 3 / 512 * 512;
      QemuImg.create(base, "cluster_size=32768", size);
      QemuIo.of(base, changes(random, size, 8));
      QemuImg.createOver(image, options, base.toString(), "qcow2", diskSize());
    } else {
      QemuImg.create(image, options, diskSize());
    }
    return image;
  }

  private String layerOptions(Path folder) {
    Path data = folder.resolve("guest.data");
    return switch (layer) {
      case PLAIN -> "";
      case ZSTD -> ",compression_type=zstd";
      case EXTENDED -> ",extended_l2=on";
      case LAZY -> ",lazy_refcounts=on";
      case DATA_FILE -> ",data_file=" + data;
      case RAW_DATA_FILE -> ",data_file_raw=on,data_file=" + data;
    };
  }

  private boolean hasDataFile() {
    return layer == Layer.DATA_FILE || layer == Layer.RAW_DATA_FILE;
  }

  /** Compressed writes for qemu-io, which accepts none where there is something already. */
  List<String> compressedWrites(Random random, int count) {
    return random
        .longs(count, 0, diskSize() / clusterSize)
        .distinct()
        .mapToObj(cluster ->
            "write -c -P %d %d %d"
                .formatted(1 + random.nextInt(255), cluster * clusterSize, clusterSize))
        .toList();
  }

  /** Changes for qemu-io to make. */
  static List<String> changes(Random random, long size, int count) {
    List<String> commands = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      long at = random.nextLong(size / 512) * 512;
      long longest = random.nextInt(3) == 0 ? size : Math.max(4096, size / 20);
      long length = Math.min(size - at, (1 + random.nextLong(longest / 512)) * 512);
      int pattern = 1 + random.nextInt(255);
      commands.add(
          switch (random.nextInt(5)) {
            case 0 -> "write -z %d %d".formatted(at, length);
            case 1 -> "write -z -u %d %d".formatted(at, length);
            case 2 -> "discard %d %d".formatted(at, length);
            default -> "write -P %d %d %d".formatted(pattern, at, length);
          });
    }
    return commands;
  }
}
