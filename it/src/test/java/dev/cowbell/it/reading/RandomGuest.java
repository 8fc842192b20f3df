package dev.cowbell.it.reading;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Makes up what a guest may do to its disk, as commands for qemu-io. */
public final class RandomGuest {
  private static final int SECTOR = 512;
  private static final String COMPRESSED = "write -c";
  private static final String REFUSED = "write failed: Input/output error";

  private final Random random;
  private final int clusterSize;
  private final boolean compresses;
  private int pattern;
  private ExtentSet touched = ExtentSet.empty();

  /** A guest whose aligned operations fit clusters of a size. */
  public RandomGuest(Random random, int clusterSize, boolean compresses) {
    this.random = random;
    this.clusterSize = clusterSize;
    this.compresses = compresses;
    this.pattern = random.nextInt(255);
  }

  /** All bytes that operations touched since the last call. */
  ExtentSet takeTouched() {
    ExtentSet taken = touched;
    touched = ExtentSet.empty();
    return taken;
  }

  /**
   * Lets the guest do so many operations. QEMU refuses a compressed write over a cluster that the
   * image holds for itself; such a refusal is part of the game, any other failure is none.
   *
   * <p>Each compressed write has a process of its own: QEMU 7.2 remembers where the last packed
   * bytes ended, also when a discard has freed that cluster since and an L2 table got it, and then
   * fails its own overlap check.
   */
  public void act(Path image, int count, long diskSize) {
    List<String> together = new ArrayList<>();
    for (String operation : operations(count, diskSize)) {
      if (operation.startsWith(COMPRESSED)) {
        flush(image, together);
        Shell.Result result = QemuIo.run(List.of("-f", "qcow2"), image, List.of(operation));
        if (result.exit() != 0 && !(result.out().strip() + result.err()).equals(REFUSED)) {
          throw new AssertionError(result);
        }
      } else {
        together.add(operation);
      }
    }
    flush(image, together);
  }

  private static void flush(Path image, List<String> operations) {
    if (!operations.isEmpty()) {
      QemuIo.of(image, operations);
      operations.clear();
    }
  }

  /** Writes of ever new patterns, zeroes, discards and compressed writes. */
  List<String> operations(int count, long diskSize) {
    List<String> operations = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      operations.add(
          switch (random.nextInt(10)) {
            case 0 -> command("write -z", unaligned(diskSize));
            case 1 -> command("write -z -u", aligned(diskSize));
            case 2, 3 ->
                command("discard", random.nextBoolean() ? aligned(diskSize) : unaligned(diskSize));
            case 4, 5 -> compresses ? compressed(diskSize) : write(unaligned(diskSize));
            case 6 -> write(aligned(diskSize));
            default -> write(unaligned(diskSize));
          });
    }
    return operations;
  }

  /** Writes of ever new patterns only. */
  List<String> writes(int count, long diskSize) {
    List<String> operations = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      operations.add(write(unaligned(diskSize)));
    }
    return operations;
  }

  private record Range(long at, long length) {}

  private String write(Range range) {
    return command("write -P " + nextPattern(), range);
  }

  private String compressed(long diskSize) {
    Range range = aligned(diskSize);
    return command(COMPRESSED + " -P " + nextPattern(), range);
  }

  private int nextPattern() {
    pattern = pattern % 255 + 1;
    return pattern;
  }

  private String command(String operation, Range range) {
    touched = touched.union(ExtentSet.of(range.at(), range.length()));
    return operation + " " + range.at() + " " + range.length();
  }

  /** A run of whole clusters inside the disk. */
  private Range aligned(long diskSize) {
    long clusters = Math.max(1, diskSize / clusterSize);
    long first = random.nextLong(clusters);
    long most = Math.min(clusters - first, Math.max(1, (1 << 20) / clusterSize));
    long count = 1 + random.nextLong(Math.min(most, 8));
    return new Range(first * clusterSize, Math.min(count * clusterSize, diskSize));
  }

  private Range unaligned(long diskSize) {
    long sectors = diskSize / SECTOR;
    long first = random.nextLong(sectors);
    long most = Math.min(sectors - first, random.nextInt(3) == 0 ? 2048 : 200);
    return new Range(first * SECTOR, (1 + random.nextLong(most)) * SECTOR);
  }
}
