package dev.cowbell.it.writing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Damage that is met while writing, by us and by QEMU, and what QEMU says to either image. */
class CorruptBitIT {
  private static final int CLUSTER = 64 << 10;
  private static final int SIZE = 1 << 20;
  private static final int L1_OFFSET = 40;
  private static final int REFCOUNT_TABLE_OFFSET = 48;
  private static final int INCOMPATIBLE_LOW = 79;
  private static final int CORRUPT = 2;
  private static final long COPIED = 1L << 63;
  private static final long OFFSET = 0x00ff_ffff_ffff_fe00L;

  @TempDir private Path folder;

  /** An image whose first four guest clusters are allocated; the write goes to some cluster. */
  enum Damage {
    L2_ENTRY_UNALIGNED(0) {
      @Override
      void to(ByteBuffer image) {
        int entry = l2(image);
        image.putLong(entry, image.getLong(entry) + 512);
      }
    },
    L1_ENTRY_UNALIGNED(0) {
      @Override
      void to(ByteBuffer image) {
        image.putLong(l1(image), image.getLong(l1(image)) + 512);
      }
    },
    DATA_IN_THE_REFCOUNT_TABLE(0) {
      @Override
      void to(ByteBuffer image) {
        image.putLong(l2(image), image.getLong(REFCOUNT_TABLE_OFFSET) | COPIED);
      }
    },
    DATA_IN_THE_L1_TABLE(0) {
      @Override
      void to(ByteBuffer image) {
        image.putLong(l2(image), l1(image) | COPIED);
      }
    },
    DATA_IN_ITS_L2_TABLE(0) {
      @Override
      void to(ByteBuffer image) {
        image.putLong(l2(image), l2(image) | COPIED);
      }
    },
    DATA_IN_A_REFCOUNT_BLOCK(0) {
      @Override
      void to(ByteBuffer image) {
        image.putLong(l2(image), refcounts(image) | COPIED);
      }
    },
    REFCOUNT_BLOCK_UNALIGNED(9) {
      @Override
      void to(ByteBuffer image) {
        int entry = (int) image.getLong(REFCOUNT_TABLE_OFFSET);
        image.putLong(entry, image.getLong(entry) + 512);
      }
    },
    REFCOUNT_BLOCK_UNALIGNED_AND_OUTSIDE(9) {
      @Override
      void to(ByteBuffer image) {
        image.putLong((int) image.getLong(REFCOUNT_TABLE_OFFSET), (1L << 40) + 512);
      }
    },
    L2_TABLE_COUNTS_AS_FREE(9) {
      @Override
      void to(ByteBuffer image) {
        image.putShort(refcounts(image) + 2 * (l2(image) / CLUSTER), (short) 0);
      }
    };

    final int written;

    Damage(int written) {
      this.written = written;
    }

    abstract void to(ByteBuffer image);

    static int l1(ByteBuffer image) {
      return (int) image.getLong(L1_OFFSET);
    }

    static int l2(ByteBuffer image) {
      return (int) (image.getLong(l1(image)) & OFFSET);
    }

    static int refcounts(ByteBuffer image) {
      return (int) image.getLong((int) image.getLong(REFCOUNT_TABLE_OFFSET));
    }
  }

  @ParameterizedTest
  @EnumSource
  void marks_the_image_as_qemu_does_and_writes_no_more(Damage damage) throws IOException {
    Path ours = folder.resolve("ours.qcow2");
    QemuImg.create(ours, "", SIZE);
    QemuIo.of(ours, "write -q -P 1 0 256k");
    byte[] damaged = Files.readAllBytes(ours);
    damage.to(ByteBuffer.wrap(damaged));
    Files.write(ours, damaged);
    Path theirs = Files.write(folder.resolve("theirs.qcow2"), damaged);

    String write = "write -P 7 %d 4k".formatted(damage.written * CLUSTER);
    Shell.Result qemus = QemuIo.run(List.of("-f", "qcow2"), theirs, List.of(write));
    assertThat(qemus.exit()).as("%s", qemus).isNotZero();
    assertThat(isMarked(theirs)).isTrue();
    Qcow2Image image = Qcow2Image.open(ours, writable());
    ByteBuffer bytes = ByteBuffer.allocate(4096);
    assertThatThrownBy(() -> image.write((long) damage.written * CLUSTER, bytes))
        .isInstanceOf(CorruptImageException.class);
    assertThatThrownBy(() -> image.write(14 * CLUSTER, ByteBuffer.allocate(512)))
        .isInstanceOf(CorruptImageException.class);
    assertThatThrownBy(image::close).isInstanceOf(CorruptImageException.class);

    byte[] expected = damaged.clone();
    expected[INCOMPATIBLE_LOW] |= CORRUPT;
    assertThat(Files.readAllBytes(ours)).isEqualTo(expected);
    Shell.Result verdict = QemuImg.check("-f", "qcow2", ours);
    assertThat(verdict.exit()).isEqualTo(QemuImg.check("-f", "qcow2", theirs).exit());
    assertThat(QemuIo.run(List.of("-f", "qcow2"), ours, List.of("write 512k 512")).failure())
        .contains("corrupt");
    assertThatThrownBy(() -> Qcow2Image.open(theirs, writable()))
        .isInstanceOf(CorruptImageException.class);
  }

  private static OpenOptions writable() {
    return OpenOptions.following().withAccess(Access.READ_WRITE);
  }

  private static boolean isMarked(Path image) throws IOException {
    return (Files.readAllBytes(image)[INCOMPATIBLE_LOW] & CORRUPT) != 0;
  }
}
