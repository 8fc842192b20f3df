package dev.cowbell.qcow2.write;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.Qcow2Image.Shrinking;
import dev.cowbell.qcow2.bitmap.BitmapEditor;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.RefcountAudit;
import dev.cowbell.qcow2.testing.SmallImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class ResizeTest {
  private static final int CLUSTER = 512;
  private static final int DISK = 150 * CLUSTER;
  private static final RefcountAudit CLEAN = new RefcountAudit(0, 0);
  private static final OpenOptions WRITABLE = OpenOptions.strict().withAccess(Access.READ_WRITE);

  private static CrashingHostFile filled(Random random) throws IOException {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(9, 4, DISK).bytes());
    try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE)) {
      byte[] bytes = new byte[DISK];
      random.nextBytes(bytes);
      image.write(0, ByteBuffer.wrap(bytes));
    }
    return file;
  }

  private static byte[] read(Qcow2Image image, long from) throws IOException {
    byte[] bytes = new byte[(int) (image.size() - from)];
    image.read(from, ByteBuffer.wrap(bytes));
    return bytes;
  }

  @Test
  void bitmaps_record_what_a_shrink_that_failed_has_changed(Random random) throws Exception {
    CrashingHostFile original = filled(random);
    try (BitmapEditor editor = BitmapEditor.open(original)) {
      editor.add("b", 9, true, ExtentSet.empty());
      editor.commit();
    }
    int newSize = 41 * CLUSTER;
    boolean changed = false;
    boolean done = false;
    for (int allowed = 0; !done; allowed++) {
      CrashingHostFile file = new CrashingHostFile(original.content());
      byte[] before;
      byte[] after;
      try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE)) {
        before = read(image, 0);
        file.failAfter(allowed);
        try {
          image.resize(newSize, Shrinking.ALLOWED);
          done = true;
        } catch (IOException e) {
          assertThat(e).hasStackTraceContaining("as the test asked");
        }
        file.failAfter(Integer.MAX_VALUE);
        after = read(image, 0);
      } catch (IOException e) {
        // A flush failed, which is final: the bitmap stays in use, and nobody trusts it.
        assertThat(e).hasStackTraceContaining("as the test asked");
        continue;
      }
      PersistentBitmaps left = PersistentBitmaps.read(file, Qcow2Image.readHead(file));
      assertThat(left.list()).noneMatch(BitmapInfo::inUse);
      DirtyBitmap bits = left.load("b");
      for (int i = 0; i < after.length; i++) {
        if (after[i] != before[i]) {
          changed = true;
          assertThat(bits.isDirty(i)).as("offset " + i).isTrue();
        }
      }
      assertThat(after).hasSize(done ? newSize : DISK);
      assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
    }
    assertThat(changed).isTrue();
  }

  @Test
  void refuses_to_write_behind_an_end_that_was_moved_meanwhile(Random random) throws Exception {
    CrashingHostFile file = filled(random);
    int small = 10 * CLUSTER;
    try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE);
        ExecutorService threads = Executors.newFixedThreadPool(2)) {
      AtomicBoolean done = new AtomicBoolean();
      List<Future<?>> writers = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        Random own = new Random(random.nextLong());
        Callable<?> writer =
            () -> {
              while (!done.get()) {
                writeSomewhere(image, own);
              }
              return image;
            };
        writers.add(threads.submit(writer));
      }
      for (int i = 0; i < 30; i++) {
        image.resize(small, Shrinking.ALLOWED);
        image.resize(DISK, Shrinking.REFUSED);
      }
      done.set(true);
      for (Future<?> writer : writers) {
        writer.get();
      }
      image.resize(small, Shrinking.ALLOWED);
      image.resize(2L * DISK, Shrinking.REFUSED);
      assertThat(read(image, small)).containsOnly(0);
    }
    assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
  }

  private static void writeSomewhere(Qcow2Image image, Random random) throws IOException {
    int at = random.nextInt(DISK - 2000);
    byte[] bytes = new byte[1 + random.nextInt(2000)];
    random.nextBytes(bytes);
    try {
      if (random.nextInt(4) == 0) {
        image.discard(at, bytes.length);
      } else {
        image.write(at, ByteBuffer.wrap(bytes));
      }
    } catch (IndexOutOfBoundsException _) {
      // The disk was small just then.
    }
  }

  @Test
  void asks_for_leave_to_shrink_by_the_size_the_disk_has() throws Exception {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(9, 4, DISK).bytes());
    try (Qcow2Image image = Qcow2Image.adopt(file, WRITABLE)) {
      assertThatThrownBy(() -> image.resize(DISK - CLUSTER, Shrinking.REFUSED))
          .isInstanceOf(IllegalArgumentException.class);
      image.resize(DISK, Shrinking.REFUSED);
      assertThat(image.size()).isEqualTo(DISK);
    }
  }
}
