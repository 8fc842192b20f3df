package dev.cowbell.it.killed;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** A small image that QEMU changes, and what its guest sees. */
final class ChangingDisk {

  private static final int SECTOR = 512;

  private final Path image;
  private final Random random;
  private final byte[] content;

  ChangingDisk(Path image, Random random) {
    this.image = image;
    this.random = random;
    this.content = new byte[(64 + random.nextInt(2048)) * SECTOR * 2];
    QemuImg.create(image, "cluster_size=" + (4096 << random.nextInt(5)), content.length);
  }

  Path image() {
    return image;
  }

  byte[] content() {
    return content;
  }

  void change(int writes) {
    List<String> commands = new ArrayList<>();
    for (int i = 0; i < writes; i++) {
      int sectors = content.length / SECTOR;
      int at = random.nextInt(sectors);
      int count = Math.min(sectors - at, 1 + random.nextInt(1 << random.nextInt(10)));
      boolean zero = random.nextInt(4) == 0;
      int value = zero ? 0 : 1 + random.nextInt(255);
      commands.add(
          "write -q %s %d %d"
              .formatted(zero ? "-z" : "-P " + value, (long) at * SECTOR, (long) count * SECTOR));
      Arrays.fill(content, at * SECTOR, (at + count) * SECTOR, (byte) value);
    }
    QemuIo.of(image, commands);
  }
}
