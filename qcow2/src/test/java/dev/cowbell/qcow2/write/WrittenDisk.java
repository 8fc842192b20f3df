package dev.cowbell.qcow2.write;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.compress.ClusterPacker;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * A byte array that goes through the same random changes as an image, and remembers its states, to
 * say what a crash may leave.
 */
final class WrittenDisk {
  private final byte[] content;
  private final int alignment;

  /** The content after each change so far, the first one before any. */
  private final List<byte[]> states = new ArrayList<>();

  /** Which state was durable behind so many flushes of the host file. */
  private record Durable(int hostFlushes, int state) {}

  private final List<Durable> durable = new ArrayList<>();

  /**
   * @param content what the image shows at first
   * @param alignment of the random ranges, in bytes
   */
  WrittenDisk(byte[] content, int alignment) {
    this.content = content.clone();
    this.alignment = alignment;
    states.add(content.clone());
    durable.add(new Durable(0, 0));
  }

  byte[] content() {
    return content.clone();
  }

  /** Changes image and model alike; where the image fails, each byte may be old or new. */
  void change(Qcow2Image image, Random random) throws IOException {
    int longest = random.nextInt(4) == 0 ? content.length : content.length / 16;
    int at = random.nextInt(content.length) / alignment * alignment;
    int length =
        Math.min(content.length - at, (1 + random.nextInt(longest)) / alignment * alignment);
    byte[] bytes = new byte[length];
    int kind = random.nextInt(8);
    if (kind > 2) {
      Arrays.fill(bytes, (byte) (1 + random.nextInt(255)));
    }
    try {
      switch (kind) {
        case 0 -> image.writeZeroes(at, length, ZeroSpace.MAY_FREE);
        case 1 -> image.writeZeroes(at, length, ZeroSpace.KEEP);
        case 2 -> image.discard(at, length);
        case 3 -> {
          int clusterSize = image.head().header().geometry().clusterSize();
          at = at / clusterSize * clusterSize;
          length = Math.min(content.length - at, clusterSize * (1 + random.nextInt(4)));
          bytes = Arrays.copyOf(new byte[] {1, 2, 3}, length);
          Arrays.fill(bytes, length / 2, length, (byte) random.nextInt());
          try (ClusterPacker packer = ClusterPacker.of(image.head().header().compressionType())) {
            if (image.canCompress()) {
              image.writeCompressed(at, ByteBuffer.wrap(bytes), packer);
            } else {
              image.write(at, ByteBuffer.wrap(bytes));
            }
          }
        }
        default -> image.write(at, ByteBuffer.wrap(bytes));
      }
    } catch (IOException e) {
      // What did not arrive may arrive later yet, and what did may be lost again.
      byte[] wanted = content.clone();
      System.arraycopy(bytes, 0, wanted, at, length);
      states.add(wanted);
      takeOver(image, at, bytes);
      throw e;
    }
    if (kind == 2) {
      takeOver(image, at, bytes);
    } else {
      System.arraycopy(bytes, 0, content, at, length);
      states.add(content.clone());
    }
  }

  /** Takes over what the image shows in a range, which has to be old or new. */
  private void takeOver(GuestDisk image, int at, byte[] bytes) throws IOException {
    byte[] now = new byte[bytes.length];
    image.read(at, ByteBuffer.wrap(now));
    for (int i = 0; i < now.length; i++) {
      assertThat(now[i] == bytes[i] || now[i] == content[at + i]).isTrue();
      content[at + i] = now[i];
    }
    states.add(content.clone());
  }

  /** Says that the present state is durable behind so many flushes of the host file. */
  void flushed(int hostFlushes) {
    durable.add(new Durable(hostFlushes, states.size() - 1));
  }

  /** Fails unless the image shows what the model holds. */
  void assertShownBy(GuestDisk image) throws IOException {
    assertThat(Arrays.mismatch(shownBy(image), content)).as("differs at").isEqualTo(-1);
  }

  /**
   * Fails unless each byte is as it was durable behind so many flushes of the host file, or as a
   * later change made it.
   */
  void assertLeftBy(int hostFlushes, GuestDisk image) throws IOException {
    int from = 0;
    for (Durable each : durable) {
      from = each.hostFlushes() <= hostFlushes ? each.state() : from;
    }
    byte[] shown = shownBy(image);
    for (int i = 0; i < shown.length; i++) {
      boolean known = false;
      for (int state = from; state < states.size() && !known; state++) {
        known = states.get(state)[i] == shown[i];
      }
      if (!known) {
        throw new AssertionError("offset " + i + " holds " + shown[i]);
      }
    }
  }

  private byte[] shownBy(GuestDisk image) throws IOException {
    byte[] shown = new byte[content.length];
    image.read(0, ByteBuffer.wrap(shown));
    return shown;
  }
}
