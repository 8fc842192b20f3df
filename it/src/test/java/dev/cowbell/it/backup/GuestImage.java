package dev.cowbell.it.backup;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** A qcow2 image that QEMU changes at random, as a guest would. */
public final class GuestImage {

  private static final int SECTOR = 512;
  private static final long MAX_RUN = 1 << 20;

  private final Path path;
  private final RandomGenerator random;
  private long size;

  /** Makes an empty image. */
  public GuestImage(Path path, String options, long size, RandomGenerator random) {
    this(path, size, random);
    QemuImg.create(path, options, size);
  }

  /** Takes an image that exists. */
  public GuestImage(Path path, long size, RandomGenerator random) {
    this.path = path;
    this.size = size;
    this.random = random;
  }

  public Path path() {
    return path;
  }

  public long size() {
    return size;
  }

  /** Lets QEMU write, write zeroes and discard at random; answers where. */
  public ExtentSet change(int operations) {
    List<String> commands = new ArrayList<>();
    ExtentSet.Builder changed = ExtentSet.builder();
    for (int i = 0; i < operations; i++) {
      long at = random.nextLong(size / SECTOR) * SECTOR;
      long length =
          Math.min(size - at, (1 + random.nextLong((1L << random.nextInt(12)) + 1)) * SECTOR);
      length = Math.min(length, MAX_RUN);
      commands.add(
          switch (random.nextInt(6)) {
            case 0 -> "write -z %d %d".formatted(at, length);
            case 1 -> "discard %d %d".formatted(at, length);
            case 2 -> "write -z -u %d %d".formatted(at, length);
            default -> "write -P %d %d %d".formatted(random.nextInt(256), at, length);
          });
      changed.add(at, length);
    }
    QemuIo.of(path, commands);
    return changed.build();
  }

  /** Grows or shrinks the disk. */
  public void resize(long newSize) {
    QemuImg.of("resize", "-q", "--shrink", "-f", "qcow2", path, newSize);
    size = newSize;
  }

  /** What the guest sees now, as QEMU reads it. */
  public String sha256() throws IOException {
    Path raw = Files.createTempFile(path.toAbsolutePath().getParent(), "state", ".raw");
    try {
      QemuImg.of("convert", "-f", "qcow2", "-O", "raw", path, raw);
      return Sha256.of(raw);
    } finally {
      Files.delete(raw);
    }
  }

  /** The names of the image's bitmaps, as QEMU lists them. */
  public List<String> bitmaps() {
    List<String> names = new ArrayList<>();
    QemuImg.info("-f", "qcow2", path)
        .path("format-specific")
        .path("data")
        .path("bitmaps")
        .forEach(bitmap -> names.add(bitmap.get("name").asText()));
    return names;
  }
}
