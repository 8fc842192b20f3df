package dev.cowbell.qcow2.write;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;

/** A byte array that goes through the same random changes as an image. */
final class WrittenDisk {
  private final byte[] content;
  private final int alignment;

  /**
   * @param content what the image shows at first
   * @param alignment of the random ranges, in bytes
   */
  WrittenDisk(byte[] content, int alignment) {
    this.content = content.clone();
    this.alignment = alignment;
  }

  byte[] content() {
    return content;
  }

  /** Changes image and model alike, unless the image fails. */
  void change(Qcow2Image image, Random random) throws IOException {
    int longest = random.nextInt(4) == 0 ? content.length : content.length / 16;
    int at = random.nextInt(content.length) / alignment * alignment;
    int length =
        Math.min(content.length - at, (1 + random.nextInt(longest)) / alignment * alignment);
    byte[] bytes = new byte[length];
    switch (random.nextInt(8)) {
      case 0 -> image.writeZeroes(at, length, ZeroSpace.MAY_FREE);
      case 1 -> image.writeZeroes(at, length, ZeroSpace.KEEP);
      case 2 -> {
        image.discard(at, length);
        ByteBuffer now = ByteBuffer.wrap(bytes);
        image.read(at, now);
        for (int i = 0; i < length; i++) {
          assertThat(bytes[i] == 0 || bytes[i] == content[at + i]).isTrue();
        }
      }
      default -> {
        random.nextBytes(bytes);
        Arrays.fill(bytes, 0, length, (byte) (1 + random.nextInt(255)));
        image.write(at, ByteBuffer.wrap(bytes));
      }
    }
    System.arraycopy(bytes, 0, content, at, length);
  }

  /** Fails unless the image shows what the model holds. */
  void assertShownBy(Qcow2Image image) throws IOException {
    byte[] shown = new byte[content.length];
    image.read(0, ByteBuffer.wrap(shown));
    int differs = Arrays.mismatch(shown, content);
    assertThat(differs).as("first offset that differs").isEqualTo(-1);
  }
}
