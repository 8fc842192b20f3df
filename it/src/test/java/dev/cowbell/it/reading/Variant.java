package dev.cowbell.it.reading;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** One kind of image out of all that qemu-img can make. */
record Variant(
    String compat,
    int clusterSize,
    int refcountBits,
    boolean extendedL2,
    String compression,
    Data data,
    Backing backing) {

  /** Where guest data lies. */
  enum Data {
    INSIDE,
    DATA_FILE,
    RAW_DATA_FILE
  }

  /** What the image lies over, and how it says so. */
  enum Backing {
    NONE,
    QCOW2,
    RAW,
    SHORTER_QCOW2,
    SHORTER_RAW,
    LONGER,
    IN_ANOTHER_FOLDER,
    FILE_PREFIX,
    JSON_NESTED,
    JSON_DOTTED,
    THREE_LAYERS
  }

  private static final int KIB = 1 << 10;

  static Variant v2(int clusterSize) {
    return new Variant("0.10", clusterSize, 16, false, "zlib", Data.INSIDE, Backing.NONE);
  }

  static Variant v3(int clusterSize) {
    return new Variant("1.1", clusterSize, 16, false, "zlib", Data.INSIDE, Backing.NONE);
  }

  Variant refcounts(int bits) {
    return new Variant(compat, clusterSize, bits, extendedL2, compression, data, backing);
  }

  Variant extended() {
    return new Variant(compat, clusterSize, refcountBits, true, compression, data, backing);
  }

  Variant zstd() {
    return new Variant(compat, clusterSize, refcountBits, extendedL2, "zstd", data, backing);
  }

  Variant data(Data kind) {
    return new Variant(compat, clusterSize, refcountBits, extendedL2, compression, kind, backing);
  }

  Variant over(Backing kind) {
    return new Variant(compat, clusterSize, refcountBits, extendedL2, compression, data, kind);
  }

  /** Every variant that differs in kind. */
  static List<Variant> zoo() {
    List<Variant> all = new ArrayList<>();
    for (int clusterSize : new int[] {512, 4 * KIB, 64 * KIB, 2048 * KIB}) {
      all.add(v2(clusterSize));
      all.add(v3(clusterSize));
      all.add(v3(clusterSize).zstd().over(Backing.RAW));
    }
    for (int bits : new int[] {1, 2, 4, 8, 32, 64}) {
      all.add(v3(64 * KIB).refcounts(bits));
    }
    for (int clusterSize : new int[] {16 * KIB, 64 * KIB, 2048 * KIB}) {
      all.add(v3(clusterSize).extended());
      all.add(v3(clusterSize).extended().zstd().over(Backing.SHORTER_QCOW2));
    }
    for (Backing backing : Backing.values()) {
      all.add(v3(64 * KIB).over(backing));
    }
    all.add(v2(64 * KIB).over(Backing.SHORTER_RAW));
    all.add(v3(64 * KIB).data(Data.DATA_FILE));
    all.add(v3(64 * KIB).data(Data.RAW_DATA_FILE));
    all.add(v3(64 * KIB).extended().data(Data.DATA_FILE).over(Backing.QCOW2));
    return all;
  }

  static Variant random(Random random) {
    boolean extended = random.nextInt(3) == 0;
    int bits = extended ? 14 + random.nextInt(8) : 9 + random.nextInt(13);
    boolean v2 = !extended && random.nextInt(4) == 0;
    Variant variant = v2 ? v2(1 << bits) : v3(1 << bits).refcounts(1 << random.nextInt(7));
    variant = extended ? variant.extended() : variant;
    variant = !v2 && random.nextBoolean() ? variant.zstd() : variant;
    Backing[] backings = Backing.values();
    return variant.over(backings[random.nextInt(backings.length)]);
  }

  /** Whether the image can have internal snapshots. */
  boolean canSnapshot() {
    return data == Data.INSIDE && refcountBits > 1;
  }

  /**
   * Packed clusters share host clusters, and a snapshot doubles refcounts: narrow ones overflow.
   */
  boolean canCompress() {
    return data == Data.INSIDE && (!canSnapshot() || refcountBits >= 16);
  }

  /** A disk size that is no multiple of the cluster size where clusters are more than a sector. */
  long diskSize() {
    return Math.clamp(200L * clusterSize, 2L << 20, 96L << 20) + clusterSize / 1024 * 512L;
  }

  /** Creates the image, and what it lies over with content of its own. */
  Path create(Path folder, Random random) throws IOException {
    Path image = folder.resolve("image.qcow2");
    String backingName = createBacking(folder, random);
    if (backingName.isEmpty()) {
      QemuImg.create(image, options(folder), diskSize());
    } else {
      QemuImg.createOver(image, options(folder), backingName, backingFormat(), diskSize());
    }
    return image;
  }

  private String options(Path folder) {
    String options = "compat=" + compat + ",cluster_size=" + clusterSize;
    if (!compat.equals("0.10")) {
      options += ",refcount_bits=" + refcountBits + ",compression_type=" + compression;
      options += extendedL2 ? ",extended_l2=on" : "";
    }
    return switch (data) {
      case INSIDE -> options;
      case DATA_FILE -> options + ",data_file=" + folder.resolve("guest.data");
      case RAW_DATA_FILE ->
          options + ",data_file=" + folder.resolve("guest.data") + ",data_file_raw=on";
    };
  }

  private String backingFormat() {
    return backing == Backing.RAW || backing == Backing.SHORTER_RAW ? "raw" : "qcow2";
  }

  /** The backing file's name as the image is to say it. */
  private String createBacking(Path folder, Random random) throws IOException {
    Path base = folder.resolve("base");
    long size =
        switch (backing) {
          case SHORTER_QCOW2, SHORTER_RAW -> diskSize() / 3 / 512 * 512;
          case LONGER -> diskSize() * 2;
          default -> diskSize();
        };
    return switch (backing) {
      case NONE -> "";
      case QCOW2, SHORTER_QCOW2, LONGER -> createBase(base, size, random).toString();
      case RAW, SHORTER_RAW -> createRaw(base, size, random).toString();
      case IN_ANOTHER_FOLDER -> {
        createBase(Files.createDirectory(folder.resolve("sub")).resolve("base"), size, random);
        yield "sub/base";
      }
      case FILE_PREFIX -> "file:" + createBase(base, size, random);
      case JSON_NESTED ->
          "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"%s\"}}"
              .formatted(createBase(base, size, random));
      case JSON_DOTTED ->
          "json:{\"driver\":\"qcow2\",\"file.driver\":\"file\",\"file.filename\":\"%s\"}"
              .formatted(createBase(base, size, random));
      case THREE_LAYERS -> {
        Path lowest = createRaw(folder.resolve("lowest"), size / 2 / 512 * 512, random);
        QemuImg.createOver(base, "cluster_size=4096", lowest.getFileName().toString(), "raw", size);
        new RandomGuest(random, 4096, true).act(base, 8, size);
        yield "base";
      }
    };
  }

  private static Path createBase(Path base, long size, Random random) {
    QemuImg.create(base, "cluster_size=32768", size);
    new RandomGuest(random, 32768, true).act(base, 10, size);
    return base;
  }

  private static Path createRaw(Path base, long size, Random random) {
    QemuImg.of("create", "-q", "-f", "raw", base, size);
    List<String> writes = new RandomGuest(random, 4096, false).operations(10, size);
    QemuIo.run(List.of("-f", "raw"), base, writes).success();
    return base;
  }
}
