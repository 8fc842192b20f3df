package dev.cowbell.it.fuzz;

import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.qcow2.compress.ClusterPacker;
import dev.cowbell.qcow2.format.CompressionType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** Well-formed inputs, as small as they can be with everything in them. */
final class Seeds {
  private static final int DISK = 200 << 10;

  private static final int REFCOUNT_TABLE = 48;
  private static final int INCOMPATIBLE_FEATURES_END = 79;
  private static final int DIRTY = 1;
  private static final int CORRUPT = 2;

  private Seeds() {}

  /** Images with data, zeroes, compressed clusters, snapshots, bitmaps and backing files. */
  static List<byte[]> images(Path scratch) {
    String[] kinds = {
      "cluster_size=512",
      "cluster_size=512,refcount_bits=1",
      "cluster_size=1k,refcount_bits=64,lazy_refcounts=on",
      "cluster_size=512,compat=0.10",
      "cluster_size=4k,compression_type=zstd",
      "cluster_size=16k,extended_l2=on",
    };
    List<byte[]> images = new ArrayList<>();
    for (String kind : kinds) {
      Path image = scratch.resolve("seed" + images.size() + ".qcow2");
      QemuImg.create(image, kind, DISK);
      images.add(withContent(image, kind));
    }
    Path top = scratch.resolve("top.qcow2");
    QemuImg.createOver(
        top, "cluster_size=512", scratch.resolve("seed0.qcow2").toString(), "qcow2", DISK);
    images.add(withContent(top, "cluster_size=512"));
    return images;
  }

  /** Images whose writing takes each of its ways. */
  static List<byte[]> writtenImages(Path scratch) {
    List<byte[]> images = new ArrayList<>(images(scratch));
    String[] kinds = {
      "cluster_size=512,preallocation=metadata",
      "cluster_size=4k,lazy_refcounts=on,refcount_bits=1",
      "cluster_size=16k,extended_l2=on",
    };
    for (String kind : kinds) {
      Path image = scratch.resolve("written" + images.size() + ".qcow2");
      if (kind.contains("extended_l2")) {
        Path base = scratch.resolve("seed0.qcow2");
        QemuImg.createOver(image, kind, base.toString(), "qcow2", DISK);
      } else {
        QemuImg.create(image, kind, DISK);
      }
      QemuIo.of(image, "write -P 5 60k 5k", "write -z 90k 32k", "discard 64k 512");
      images.add(bytes(image));
    }
    images.add(marked(images.getFirst(), DIRTY));
    return images;
  }

  /** Images with leaks, refcounts and flags that are wrong, marks, and no refcounts at all. */
  static List<byte[]> damagedImages(Path scratch) {
    List<byte[]> images = new ArrayList<>(writtenImages(scratch));
    images.add(marked(images.getFirst(), CORRUPT));
    for (byte[] image : List.copyOf(images.subList(0, 6))) {
      ByteBuffer bytes = ByteBuffer.wrap(image.clone());
      int table = (int) bytes.getLong(REFCOUNT_TABLE);
      int block = (int) bytes.getLong(table);
      bytes.put(block + 9, (byte) 0).put(block + 21, (byte) 3).putLong(block + 40, -1L);
      images.add(bytes.array().clone());
      images.add(bytes.putLong(table, 0).array());
    }
    return images;
  }

  private static byte[] marked(byte[] image, int bit) {
    byte[] marked = image.clone();
    marked[INCOMPATIBLE_FEATURES_END] |= (byte) bit;
    return marked;
  }

  private static byte[] withContent(Path image, String kind) {
    QemuIo.of(
        image, "write -P 1 0 3k", "write -P 2 150k 20k", "write -z 64k 16k", "write -c 96k 16k");
    if (!kind.contains("refcount_bits=1")) {
      QemuImg.of("snapshot", "-c", "first", image);
      QemuIo.of(image, "write -P 3 1k 512", "discard 152k 16k");
      QemuImg.of("snapshot", "-c", "second", image);
    }
    if (!kind.contains("0.10")) {
      QemuImg.of("bitmap", "--add", "-g", "512", image, "fine");
      QemuImg.of("bitmap", "--add", "--disable", image, "idle");
      QemuIo.of(image, "write -P 4 32k 2k");
    }
    return bytes(image);
  }

  private static byte[] bytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Compressed clusters as this program packs them, behind the byte that chooses their kind. */
  static List<byte[]> packedClusters() {
    List<byte[]> seeds = new ArrayList<>();
    for (int choice = 0; choice < 4; choice++) {
      int size = (choice & 2) == 0 ? 1 << 12 : 1 << 16;
      byte[] cluster = new byte[size];
      for (int i = 0; i < size; i++) {
        cluster[i] = (byte) (i % 97 * (i >> 8));
      }
      ByteBuffer packed = ByteBuffer.allocateDirect(2 * size);
      try (ClusterPacker packer =
          ClusterPacker.of((choice & 1) == 0 ? CompressionType.ZLIB : CompressionType.ZSTD)) {
        int length = packer.pack(ByteBuffer.allocateDirect(size).put(cluster).flip(), packed);
        byte[] seed = new byte[1 + length];
        seed[0] = (byte) choice;
        packed.clear().get(seed, 1, length);
        seeds.add(seed);
      }
    }
    return seeds;
  }

  /** What two backups leave in a repository. */
  static List<byte[]> manifests(Path scratch) {
    Path image = scratch.resolve("vda.qcow2");
    String repository = scratch.resolve("repository").toString();
    QemuImg.create(image, "cluster_size=4k", DISK);
    Cowbell.of("init", "--repo", repository);
    for (int i = 0; i < 2; i++) {
      QemuIo.of(image, "write -P %d 0 8k".formatted(i));
      Cowbell.of("backup", "--repo", repository, "--vm", "web", "--label", "why=because", image);
    }
    try (Stream<Path> points = Files.list(Path.of(repository, "vms", "web", "points"))) {
      return points
          .map(Seeds::bytes)
          .map(sealed -> Arrays.copyOf(sealed, sealed.length - DocumentTargets.SEAL_LENGTH))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static List<byte[]> urls() {
    return Stream.of(
            "/backups",
            "file:///backups",
            "s3://bucket/prefix?endpoint=http://host:9000&region=us-east-1&path-style=true")
        .map(url -> url.getBytes(StandardCharsets.UTF_8))
        .toList();
  }

  static List<byte[]> configurations() {
    try (Stream<Path> samples = Files.list(samples())) {
      return samples.filter(file -> file.toString().endsWith(".yaml")).map(Seeds::bytes).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The samples' folder, beside this module. */
  private static Path samples() {
    Path here = Path.of("").toAbsolutePath();
    Path beside = here.resolveSibling("config-samples");
    return Files.isDirectory(beside) ? beside : here.resolve("config-samples");
  }
}
