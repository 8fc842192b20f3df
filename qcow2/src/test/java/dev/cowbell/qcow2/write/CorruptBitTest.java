package dev.cowbell.qcow2.write;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.SmallImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CorruptBitTest {
  private static final int CLUSTER = 512;
  private static final int L2_TABLE = 4 * CLUSTER;
  private static final long COPIED = 1L << 63;
  private static final OpenOptions WRITABLE = OpenOptions.strict().withAccess(Access.READ_WRITE);

  @Test
  void refuses_to_write_to_an_image_that_is_marked_corrupt() {
    byte[] marked =
        new SmallImage(9, 4, 50L << 9, FeatureBits.NONE.with(Feature.CORRUPT), "").bytes();
    CrashingHostFile file = new CrashingHostFile(marked);
    assertThatThrownBy(() -> Qcow2Image.adopt(file, WRITABLE))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("corrupt");
    assertThat(file.content()).isEqualTo(marked);
  }

  /** Entries of data in the L1 table and in the refcount table. */
  @ParameterizedTest
  @ValueSource(longs = {3L * 512, 512L})
  void marks_the_image_corrupt_when_data_would_go_where_it_must_not(long where) throws IOException {
    byte[] damaged = new SmallImage(9, 4, 50L << 9).bytes();
    ByteBuffer.wrap(damaged).putLong(L2_TABLE, where | COPIED);
    CrashingHostFile file = new CrashingHostFile(damaged);
    Qcow2Image image = Qcow2Image.adopt(file, WRITABLE);
    assertThatThrownBy(() -> image.write(0, ByteBuffer.wrap(new byte[CLUSTER])))
        .isInstanceOf(CorruptImageException.class);
    assertThatThrownBy(() -> image.write(20L * CLUSTER, ByteBuffer.wrap(new byte[CLUSTER])))
        .isInstanceOf(CorruptImageException.class);
    assertThatThrownBy(image::close).isInstanceOf(CorruptImageException.class);
    byte[] expected = damaged.clone();
    expected[79] |= 2;
    assertThat(file.content()).isEqualTo(expected);
  }
}
