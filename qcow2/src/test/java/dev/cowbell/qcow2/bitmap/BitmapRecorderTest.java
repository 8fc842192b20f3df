package dev.cowbell.qcow2.bitmap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.BitmapRefusedException;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.RefcountAudit;
import dev.cowbell.qcow2.testing.SmallImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(SeededRandom.class)
class BitmapRecorderTest {

  private static final long DISK = 1 << 20;

  @Test
  void enabled_bitmaps_record_at_their_granularity_and_disabled_ones_stay_as_they_are()
      throws Exception {
    CrashingHostFile file = image(16);
    BitmapRecorder recorder = open(file);
    recorder.beforeChange(100_000, 1);
    recorder.beforeChange(200_000, 70_000);
    recorder.beforeChange(300_000, 0);
    save(recorder, file);

    PersistentBitmaps bitmaps = read(file.content());
    assertThat(bitmaps.list())
        .containsExactly(
            new BitmapInfo("fine", 9, true, false),
            new BitmapInfo("coarse", 16, true, false),
            new BitmapInfo("frozen", 12, false, false));
    assertThat(bitmaps.load("fine").toExtents())
        .isEqualTo(ExtentSet.builder().add(0, 512).add(99_840, 512).add(199_680, 70_656).build());
    assertThat(bitmaps.load("coarse").toExtents())
        .isEqualTo(ExtentSet.of(0, 131_072).union(ExtentSet.of(196_608, 131_072)));
    assertThat(bitmaps.load("frozen").toExtents()).isEqualTo(ExtentSet.of(4096, 4096));
    assertThat(RefcountAudit.of(file.content())).isEqualTo(new RefcountAudit(0, 0));
  }

  @Test
  void bitmaps_are_in_use_from_the_opening_on_until_they_are_saved() throws Exception {
    CrashingHostFile file = image(12);
    BitmapRecorder recorder = open(file);
    assertThat(read(file.content()).list()).allMatch(BitmapInfo::inUse);
    assertThatThrownBy(() -> read(file.content()).load("frozen"))
        .isInstanceOf(BitmapRefusedException.class);
    save(recorder, file);
    assertThat(read(file.content()).list()).noneMatch(BitmapInfo::inUse);
  }

  @Test
  void opening_costs_one_flush_and_saving_three() throws Exception {
    CrashingHostFile file = image(16);
    int before = file.flushes();
    BitmapRecorder recorder = open(file);
    assertThat(file.flushes() - before).isEqualTo(1);
    recorder.beforeChange(0, DISK);
    save(recorder, file);
    assertThat(file.flushes() - before).isEqualTo(4);
  }

  @Test
  void a_bitmap_that_was_in_use_stays_so_and_forbids_a_resize() throws Exception {
    CrashingHostFile file = image(16);
    BitmapRecorder forgotten = open(file);
    forgotten.beforeChange(0, DISK);

    BitmapRecorder recorder = open(file);
    assertThat(recorder.isRecording()).isFalse();
    recorder.beforeChange(0, DISK);
    assertThatThrownBy(() -> recorder.beforeResize(2 * DISK))
        .isInstanceOf(BitmapRefusedException.class)
        .hasMessageContaining("can't follow a resize");
    save(recorder, file);
    assertThat(read(file.content()).list()).allMatch(BitmapInfo::inUse);
  }

  @Test
  void a_resize_forgets_what_is_cut_off_and_adds_clean_granules() throws Exception {
    CrashingHostFile file = image(16);
    BitmapRecorder recorder = open(file);
    recorder.beforeChange(DISK - 1, 1);
    recorder.beforeChange(DISK / 2 - 1, 1);
    for (long size : new long[] {DISK / 2, DISK}) {
      recorder.beforeResize(size);
      recorder.resized(size);
    }
    save(recorder, file);
    PersistentBitmaps bitmaps = read(file.content());
    assertThat(bitmaps.isDirty("fine", DISK - 1)).isFalse();
    assertThat(bitmaps.isDirty("fine", DISK / 2 - 1)).isTrue();
    assertThat(bitmaps.isDirty("frozen", 4096)).isTrue();
  }

  @Test
  void bitmaps_whose_autoclear_bit_is_off_go_away_and_so_do_unknown_autoclear_bits()
      throws Exception {
    CrashingHostFile file = image(16);
    FeatureBits features = head(file.content()).header().features();
    assertThat(features.has(Feature.BITMAPS)).isTrue();
    file.write(88, ByteBuffer.allocate(8).putLong(0, 1L << 40));
    BitmapRecorder recorder = open(file);
    assertThat(recorder.isRecording()).isFalse();
    assertThat(head(file.content()).header().features().autoclear()).isZero();
    save(recorder, file);
    assertThat(read(file.content()).warnings()).isEmpty();
    assertThat(read(file.content()).list()).isEmpty();
  }

  @Test
  void a_full_disk_while_saving_leaves_the_bitmaps_in_use() throws Exception {
    CrashingHostFile file = image(12);
    BitmapRecorder recorder = open(file);
    recorder.beforeChange(0, DISK / 3);
    file.failAfter(1);
    assertThatThrownBy(() -> save(recorder, file)).isInstanceOf(IOException.class);
    assertThat(read(file.content()).list()).hasSize(3).allMatch(BitmapInfo::inUse);
    assertThat(RefcountAudit.of(file.content()).corruptions()).isZero();
  }

  /** The guest's data is a mark behind the L1 table, in its cluster. */
  @ParameterizedTest
  @ValueSource(ints = {12, 16})
  void no_crash_leaves_a_bitmap_that_is_trusted_and_misses_a_write(int clusterBits, Random random)
      throws Exception {
    CrashingHostFile file = new CrashingHostFile(image(clusterBits).content());
    ExtentSet before = read(file.content()).load("fine").toExtents();
    BitmapRecorder recorder = open(file);
    ExtentSet.Builder written = ExtentSet.builder();
    int mark = 4 << clusterBits;
    for (int i = 0; i < 4; i++) {
      long at = random.nextLong(DISK);
      long length = random.nextLong(DISK - at);
      recorder.beforeChange(at, length);
      written.add(at, length);
      file.write(
          mark - 8,
          ByteBuffer.wrap("written!".getBytes(java.nio.charset.StandardCharsets.US_ASCII)));
    }
    file.flush();
    save(recorder, file);
    ExtentSet after = read(file.content()).load("fine").toExtents();
    assertThat(after.union(written.build())).isEqualTo(after);
    file.forEachCrash(
        random,
        20,
        (image, _) -> {
          assertThat(RefcountAudit.of(image).corruptions()).isZero();
          boolean touched = image[mark - 1] != 0;
          PersistentBitmaps left = read(image);
          for (BitmapInfo info : left.list()) {
            if (!info.inUse() && info.name().equals("fine")) {
              assertThat(left.load("fine").toExtents())
                  .isIn(touched ? List.of(after) : List.of(before, after));
            }
          }
          assertThat(left.list()).hasSize(3);
        });
  }

  @Test
  void many_threads_lose_no_bit() throws Exception {
    CrashingHostFile file = image(16);
    BitmapRecorder recorder = open(file);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      int first = i;
      threads.add(
          Thread.ofPlatform()
              .start(() -> {
                for (long at = first * 1024L; at < DISK; at += 4096) {
                  recorder.beforeChange(at, 512);
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    save(recorder, file);
    DirtyBitmap fine = read(file.content()).load("fine");
    assertThat(fine.dirtyBytes()).isEqualTo(DISK / 2);
  }

  private static CrashingHostFile image(int clusterBits) throws IOException {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(clusterBits, 4, DISK).bytes());
    try (BitmapEditor editor = BitmapEditor.open(file)) {
      editor.add("fine", 9, true, ExtentSet.of(0, 1));
      editor.add("coarse", 16, true, ExtentSet.of(0, 1));
      editor.add("frozen", 12, false, ExtentSet.of(5000, 1));
      editor.commit();
    }
    return new CrashingHostFile(file.content());
  }

  private static BitmapRecorder open(CrashingHostFile file) throws IOException {
    HeadWriter head = HeadWriter.open(file);
    BitmapRecorder recorder = BitmapRecorder.load(file, head.head());
    recorder.begin(head);
    return recorder;
  }

  private static void save(BitmapRecorder recorder, CrashingHostFile file) throws IOException {
    HeadWriter head = HeadWriter.open(file);
    recorder.beforeClose(file, head, ClusterAllocator.open(file, head));
  }

  private static ImageHead head(byte[] image) throws IOException {
    return HeadWriter.open(new CrashingHostFile(image)).head();
  }

  private static PersistentBitmaps read(byte[] image) throws IOException {
    return PersistentBitmaps.read(new CrashingHostFile(image), head(image));
  }
}
