package dev.cowbell.it.writing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.compress.ClusterPacker;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;

/** A disk's bytes in memory, that go through the same changes as an image. */
final class Mirror {
  private byte[] content;

  private Mirror(byte[] content) {
    this.content = content;
  }

  /** The bytes that an image shows by QEMU's account. */
  static Mirror ofQemu(Path image) throws IOException {
    Path raw = image.resolveSibling("mirror.raw");
    QemuImg.of("convert", "-f", "qcow2", "-O", "raw", image, raw);
    return new Mirror(Files.readAllBytes(raw));
  }

  byte[] content() {
    return content;
  }

  /** Makes one random change to the image and here. */
  void change(Qcow2Image image, Random random, int alignment) throws IOException {
    int at = random.nextInt(content.length) / alignment * alignment;
    int longest = random.nextInt(3) == 0 ? content.length : Math.max(4096, content.length / 20);
    int length =
        Math.min(content.length - at, random.nextInt(longest) / alignment * alignment + alignment);
    byte[] bytes = new byte[length];
    switch (random.nextInt(7)) {
      case 0 -> image.writeZeroes(at, length, ZeroSpace.MAY_FREE);
      case 1 -> image.writeZeroes(at, length, ZeroSpace.KEEP);
      case 2 -> {
        image.discard(at, length);
        image.read(at, ByteBuffer.wrap(bytes));
        for (int i = 0; i < length; i++) {
          assertThat(bytes[i] == 0 || bytes[i] == content[at + i]).isTrue();
        }
      }
      case 3 -> {
        int clusterSize = image.head().header().geometry().clusterSize();
        at = at / clusterSize * clusterSize;
        length = Math.min(content.length - at, clusterSize * (1 + random.nextInt(8)));
        bytes = new byte[length];
        Arrays.fill(bytes, 0, length / 2, (byte) (1 + random.nextInt(255)));
        bytes[random.nextInt(length)] = 77;
        try (ClusterPacker packer = ClusterPacker.of(image.head().header().compressionType())) {
          if (image.canCompress()) {
            image.writeCompressed(at, ByteBuffer.wrap(bytes), packer);
          } else {
            image.write(at, ByteBuffer.wrap(bytes));
          }
        }
      }
      default -> {
        Arrays.fill(bytes, (byte) (1 + random.nextInt(255)));
        image.write(at, ByteBuffer.wrap(bytes));
      }
    }
    System.arraycopy(bytes, 0, content, at, length);
  }

  /** Gives the image another size, and these bytes; what is new is zero. */
  void resize(Qcow2Image image, int size) throws IOException {
    image.resize(size, Qcow2Image.Shrinking.ALLOWED);
    content = Arrays.copyOf(content, size);
  }

  /** Fails unless a disk shows these bytes. */
  void assertShownBy(GuestDisk disk, String what) throws IOException {
    byte[] shown = new byte[content.length];
    disk.read(0, ByteBuffer.wrap(shown));
    assertThat(Arrays.mismatch(shown, content)).as(what + ": differs at").isEqualTo(-1);
  }

  /** Fails unless QEMU finds nothing wrong with the image and reads these bytes. */
  void assertShownByQemu(Path image) throws IOException {
    QemuImg.checkClean(image);
    Path raw = image.resolveSibling("mirror.raw");
    Files.write(raw, content);
    QemuImg.assertSame(image, "qcow2", raw, "raw");
  }
}
