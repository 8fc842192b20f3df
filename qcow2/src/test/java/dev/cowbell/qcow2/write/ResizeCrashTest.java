package dev.cowbell.qcow2.write;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.Qcow2Image.Shrinking;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.RefcountAudit;
import dev.cowbell.qcow2.testing.SmallImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class ResizeCrashTest {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 5);

  private static OpenOptions writable(byte[] backing) {
    return OpenOptions.strict()
        .withReferences(_ -> new MemoryHostFile("backing", backing))
        .withAccess(Access.READ_WRITE);
  }

  /** A disk with random data, and the bytes of the image that holds it. */
  private static final class Filled {
    private final MemoryHostFile file;
    private final byte[] content;
    private final byte[] backing;

    Filled(MemoryHostFile file, byte[] content, byte[] backing) {
      this.file = file;
      this.content = content;
      this.backing = backing;
    }

    byte[] image() throws IOException {
      byte[] bytes = new byte[(int) file.size()];
      file.read(0, ByteBuffer.wrap(bytes));
      return bytes;
    }
  }

  private static FeatureBits features(Random random, boolean extended) {
    FeatureBits features =
        random.nextInt(3) == 0 ? FeatureBits.NONE.with(Feature.LAZY_REFCOUNTS) : FeatureBits.NONE;
    return extended ? features.with(Feature.EXTENDED_L2) : features;
  }

  private static Filled fill(Random random, boolean backed) throws IOException {
    boolean extended = random.nextInt(4) == 0;
    int bits = extended ? 14 : 9;
    SmallImage small =
        new SmallImage(
            bits,
            4,
            512L * (1 + random.nextInt(extended ? 500 : 200)),
            features(random, extended),
            backed ? "backing" : "");
    byte[] bare = small.bytes();
    MemoryHostFile file = new MemoryHostFile("image", bare);
    if (!extended && random.nextInt(3) == 0) {
      ImageHead head = Qcow2Image.readHead(file);
      ImageHead old = head.withHeader(head.header().change().version2().build());
      System.arraycopy(new byte[1 << bits], 0, bare, 0, 1 << bits);
      ByteBuffer.wrap(bare).put(old.encode());
      file = new MemoryHostFile("image", bare);
    }
    byte[] content = new byte[(int) small.diskSize()];
    byte[] backing = new byte[(512 + random.nextInt(3 * content.length)) & -512];
    random.nextBytes(backing);
    if (backed) {
      System.arraycopy(backing, 0, content, 0, Math.min(backing.length, content.length));
    }
    try (Qcow2Image image = Qcow2Image.adopt(file, writable(backing))) {
      for (int i = 0; i < 12; i++) {
        int at = random.nextInt(content.length);
        int length = 1 + random.nextInt(Math.min(5000, content.length - at));
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        System.arraycopy(bytes, 0, content, at, length);
        image.write(at, ByteBuffer.wrap(bytes));
      }
    }
    return new Filled(file, content, backing);
  }

  @Test
  void leaves_the_old_or_the_new_size_and_what_both_have_after_any_crash(Random random)
      throws Exception {
    for (int round = 0; round < 2 * ROUNDS; round++) {
      Filled filled = fill(random, round % 2 == 0);
      long newSize = 512L * (1 + random.nextInt(random.nextBoolean() ? 200 : 2000));
      CrashingHostFile file = new CrashingHostFile(filled.image());
      int durable;
      try (Qcow2Image image = Qcow2Image.adopt(file, writable(filled.backing))) {
        image.resize(newSize, Shrinking.ALLOWED);
        durable = file.flushes();
      }
      file.forEachCrash(
          random, 6, (left, flushes) -> assertLeft(left, filled, newSize, flushes >= durable));
    }
  }

  private static void assertLeft(byte[] left, Filled filled, long newSize, boolean durable)
      throws Exception {
    assertThat(RefcountAudit.of(left).corruptions()).isZero();
    byte[] old = filled.content;
    int both = (int) Math.min(old.length, newSize);
    try (Qcow2Image image =
        Qcow2Image.adopt(new MemoryHostFile("left", left), writable(filled.backing))) {
      if (durable) {
        assertThat(image.size()).isEqualTo(newSize);
      } else {
        assertThat(image.size()).isIn((long) old.length, newSize);
      }
      byte[] shown = new byte[(int) image.size()];
      image.read(0, ByteBuffer.wrap(shown));
      assertThat(Arrays.mismatch(shown, 0, both, old, 0, both)).as("differs at").isEqualTo(-1);
      for (int i = old.length; i < shown.length; i++) {
        if (shown[i] != 0) {
          throw new AssertionError("behind the old end, offset " + i + " holds " + shown[i]);
        }
      }
      // What the crash left behind the end must not come to light later either.
      long end = image.size();
      image.resize(end + 512L * 137, Shrinking.REFUSED);
      byte[] more = new byte[(int) (image.size() - end)];
      image.read(end, ByteBuffer.wrap(more));
      assertThat(more).isEqualTo(new byte[more.length]);
    }
  }
}
