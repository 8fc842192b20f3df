package dev.cowbell.it.bitmap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.qcow2.bitmap.BitmapEditor;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an edit reads and writes follows the bitmap, not the disk. */
final class BitmapCostIT {

  @TempDir private Path dir;

  /** Counts bytes and flushes. */
  private static final class Metered implements HostFile {
    private final HostFile file;
    final AtomicLong read = new AtomicLong();
    final AtomicLong written = new AtomicLong();
    final AtomicLong flushes = new AtomicLong();

    Metered(HostFile file) {
      this.file = file;
    }

    @Override
    public String name() {
      return file.name();
    }

    @Override
    public long size() throws IOException {
      return file.size();
    }

    @Override
    public int read(long at, ByteBuffer dst) throws IOException {
      int count = file.read(at, dst);
      read.addAndGet(count);
      return count;
    }

    @Override
    public void write(long at, ByteBuffer src) throws IOException {
      written.addAndGet(src.remaining());
      file.write(at, src);
    }

    @Override
    public void resize(long size) throws IOException {
      file.resize(size);
    }

    @Override
    public void punchHole(long at, long length) throws IOException {
      file.punchHole(at, length);
    }

    @Override
    public void flush() throws IOException {
      flushes.incrementAndGet();
      file.flush();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  @Test
  void an_edit_of_a_full_image_reads_few_refcount_blocks_and_no_l2_table() throws Exception {
    Path image = dir.resolve("full.qcow2");
    long size = 128L << 30;
    QemuImg.create(image, "preallocation=metadata", size);
    try (Metered file = new Metered(ChannelHostFile.open(image, ImageLock.Use.WRITE))) {
      for (int round = 0; round < 3; round++) {
        file.read.set(0);
        file.written.set(0);
        file.flushes.set(0);
        try (BitmapEditor editor = BitmapEditor.open(file)) {
          editor.add("cowbell:" + round, 16, true, ExtentSet.of(size - 1, 1));
          if (round > 0) {
            editor.remove("cowbell:" + (round - 1));
          }
          editor.commit();
        }
        // 128 GiB have 65 refcount blocks of 64 KiB and 256 L2 tables.
        assertThat(file.read.get()).as("bytes read").isLessThan(5 << 19);
        assertThat(file.written.get()).as("bytes written").isLessThan(1 << 20);
        assertThat(file.flushes.get()).as("flushes").isLessThanOrEqualTo(5);
      }
    }
    assertThat(ImageFixture.listOfQemu(image)).hasSize(1);
    assertThat(ImageFixture.isDirty(image, "cowbell:2", size - 1)).isTrue();
    QemuImg.checkClean(image);
  }
}
