package dev.cowbell.it.image;

import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.crypto.EncryptedQemu;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A kind of image that is damaged and repaired.
 *
 * @param options what qemu-img makes it with
 * @param snapshots how many internal snapshots it has, each with data that nothing else has
 */
record RepairedVariant(String options, int snapshots, Set<Part> parts) {
  private static final long SIZE = 8 << 20;
  private static final String PASSPHRASE = "swordfish";

  /** What an image may have beside. */
  enum Part {
    BITMAP,
    COMPRESSED,
    LUKS,
    DATA_FILE,
    RAW_DATA_FILE
  }

  /**
   * 16-bit refcounts and no bitmap: QEMU 7.2's repair loses all snapshots of images with bitmaps.
   */
  static RepairedVariant plain() {
    return new RepairedVariant("cluster_size=4k", 2, Part.COMPRESSED);
  }

  static List<RepairedVariant> all() {
    return List.of(
        new RepairedVariant("compat=0.10", 2, Part.COMPRESSED),
        new RepairedVariant("cluster_size=512", 2, Part.COMPRESSED, Part.BITMAP),
        new RepairedVariant("cluster_size=4k,refcount_bits=1", 0, Part.COMPRESSED, Part.BITMAP),
        new RepairedVariant(
            "cluster_size=64k,refcount_bits=2,compression_type=zstd", 1, Part.BITMAP),
        new RepairedVariant("cluster_size=4k,refcount_bits=4", 2, Part.COMPRESSED, Part.BITMAP),
        new RepairedVariant(
            "cluster_size=16k,refcount_bits=8,extended_l2=on", 2, Part.COMPRESSED, Part.BITMAP),
        new RepairedVariant("cluster_size=32k,refcount_bits=32,lazy_refcounts=on", 2, Part.BITMAP),
        new RepairedVariant("cluster_size=2M,refcount_bits=64", 1, Part.COMPRESSED, Part.BITMAP),
        new RepairedVariant("cluster_size=4k", 2, Part.LUKS, Part.COMPRESSED),
        new RepairedVariant("cluster_size=4k", 0, Part.DATA_FILE, Part.BITMAP),
        new RepairedVariant("cluster_size=16k,extended_l2=on", 0, Part.RAW_DATA_FILE));
  }

  RepairedVariant(String options, int snapshots, Part... parts) {
    this(options, snapshots, Set.of(parts));
  }

  boolean has(Part part) {
    return parts.contains(part);
  }

  @Override
  public String toString() {
    return options + " " + parts;
  }

  /** Makes a sound image. */
  Path create(Path folder) throws IOException {
    Path image = folder.resolve("sound.qcow2");
    String all = options;
    if (has(Part.DATA_FILE) || has(Part.RAW_DATA_FILE)) {
      all += ",data_file=" + folder.resolve("guest.data");
      all += has(Part.RAW_DATA_FILE) ? ",data_file_raw=on" : "";
    }
    if (has(Part.LUKS)) {
      EncryptedQemu.create(image, PASSPHRASE, "luks", all + ",encrypt.iter-time=10", SIZE);
    } else {
      QemuImg.create(image, all, SIZE);
    }
    if (has(Part.COMPRESSED)) {
      int cluster = 1 << Files.readAllBytes(image)[23];
      write(image, "write -q -c -P 9 %d %d".formatted(2 << 20, cluster));
    }
    write(image, "write -q -P 1 0 1M", "write -q -P 2 3M 128k", "write -q -z 4M 128k");
    for (int i = 1; i <= snapshots; i++) {
      img(image, "snapshot", "-c", "snapshot" + i).success();
      write(image, "write -q -P %d 3M %dk".formatted(2 + i, 64 * i + 64));
    }
    if (has(Part.BITMAP)) {
      QemuImg.of("bitmap", "--add", "-g", "64k", image, "tracked");
    }
    return image;
  }

  private void write(Path image, String... commands) {
    if (has(Part.LUKS)) {
      EncryptedQemu.io(image, PASSPHRASE, commands);
    } else {
      QemuIo.of(image, commands);
    }
  }

  private Shell.Result img(Path image, Object... subcommand) {
    if (has(Part.LUKS)) {
      return EncryptedQemu.img(image, PASSPHRASE, subcommand);
    }
    List<Object> words = new ArrayList<>(List.of(subcommand));
    words.add(image);
    return QemuImg.run(words.toArray());
  }

  /** {@code qemu-img check}. */
  Shell.Result check(Path image) {
    return has(Part.LUKS)
        ? img(image, "check", "--output=json")
        : img(image, "check", "--output=json", "-f", "qcow2");
  }

  /** What can be read of the disk and its snapshots, by state, each as a raw file. */
  Map<String, Path> read(Path image, String tag) throws IOException {
    Map<String, Path> readable = new LinkedHashMap<>();
    for (int i = 0; i <= snapshots; i++) {
      String state = i == 0 ? "disk" : "snapshot" + i;
      Path raw = image.resolveSibling(tag + "-" + state + ".raw");
      Files.deleteIfExists(raw);
      List<Object> command =
          new ArrayList<>(List.of("image", "convert", "-f", "qcow2", "-O", "raw"));
      if (i > 0) {
        command.addAll(List.of("-l", state));
      }
      if (has(Part.LUKS)) {
        Path key = Files.writeString(image.resolveSibling("key"), PASSPHRASE);
        command.addAll(List.of("--passphrase-file", key));
      }
      command.addAll(List.of(image, raw));
      if (Cowbell.run(command.toArray()).exit() == 0) {
        readable.put(state, raw);
      }
    }
    return readable;
  }
}
