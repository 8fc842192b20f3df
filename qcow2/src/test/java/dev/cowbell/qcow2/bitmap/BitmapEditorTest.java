package dev.cowbell.qcow2.bitmap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.bitmaps.directory.BitmapsExtension;
import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.BitmapNotFoundException;
import dev.cowbell.qcow2.BitmapRefusedException;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.RefcountAudit;
import dev.cowbell.qcow2.testing.SmallImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class BitmapEditorTest {

  private static final RefcountAudit CLEAN = new RefcountAudit(0, 0);
  private static final long DISK = 1 << 20;

  /** The payload of an extension behind which the next one's content crosses offset 1024. */
  private static final int STRADDLE = 488;

  @Test
  void adds_a_bitmap_with_what_it_marks_in_one_commit_of_few_flushes() throws Exception {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(16, 4, DISK).bytes());
    try (BitmapEditor editor = BitmapEditor.open(file)) {
      editor.add("cowbell:new", 16, true, ExtentSet.of(DISK - 1, 1));
      editor.commit();
    }
    PersistentBitmaps bitmaps = read(file.content());
    assertThat(bitmaps.list()).containsExactly(new BitmapInfo("cowbell:new", 16, true, false));
    assertThat(bitmaps.isDirty("cowbell:new", DISK - 1)).isTrue();
    assertThat(bitmaps.isDirty("cowbell:new", 0)).isFalse();
    assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);

    int before = file.flushes();
    try (BitmapEditor editor = BitmapEditor.open(file)) {
      editor.add("cowbell:newer", 16, true, ExtentSet.of(DISK - 1, 1));
      editor.remove("cowbell:new");
      editor.commit();
    }
    assertThat(file.flushes() - before).isEqualTo(3);
    assertThat(read(file.content()).list()).hasSize(1);
    assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
  }

  @Test
  void writes_nothing_when_nothing_was_edited_or_committed() throws Exception {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(16, 4, DISK).bytes());
    try (BitmapEditor editor = BitmapEditor.open(file)) {
      editor.commit();
      editor.add("b", 16, true, ExtentSet.empty());
    }
    assertThat(file.changes()).isZero();
  }

  @Test
  void does_not_grow_the_file_when_bitmaps_come_and_go() throws Exception {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(12, 4, DISK).bytes());
    edit(file, editor -> editor.add("b0", 9, true, ExtentSet.of(0, 1)));
    edit(
        file,
        editor -> {
          editor.add("b1", 9, true, ExtentSet.of(0, 1));
          editor.remove("b0");
        });
    long size = file.size();
    for (int i = 1; i < 20; i++) {
      int old = i;
      edit(
          file,
          editor -> {
            editor.add("b" + (old + 1), 9, true, ExtentSet.of(0, 1));
            editor.remove("b" + old);
          });
    }
    assertThat(file.size()).isEqualTo(size);
    assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
  }

  @Test
  void drops_the_extension_with_the_last_bitmap() throws Exception {
    byte[] image = new SmallImage(16, 4, DISK).bytes();
    CrashingHostFile file = new CrashingHostFile(image);
    edit(file, editor -> editor.add("b", 16, true, ExtentSet.empty()));
    edit(file, editor -> editor.remove("b"));
    assertThat(HeadWriter.open(file).head())
        .isEqualTo(HeadWriter.open(new CrashingHostFile(image)).head());
    assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
  }

  @Test
  void makes_room_in_front_of_the_backing_file_name() throws Exception {
    for (int clusterBits : new int[] {9, 10, 12, 16}) {
      SmallImage image = new SmallImage(clusterBits, 4, DISK, FeatureBits.NONE, "base.raw");
      CrashingHostFile file = new CrashingHostFile(image.bytes());
      edit(file, editor -> editor.add("b", 16, true, ExtentSet.empty()));
      assertThat(HeadWriter.open(file).head().backingFile()).contains("base.raw");
      assertThat(HeadWriter.open(file).head().backingFormat()).contains("raw");
      assertThat(read(file.content()).list()).hasSize(1);
    }
  }

  private static HeaderExtension unknown(int length) {
    return new HeaderExtension.Unknown(0x12345678, Bytes.copyOf(new byte[length]));
  }

  @Test
  void never_shows_half_an_extension_that_lies_across_two_sectors(Random random) throws Exception {
    List<HeaderExtension> extensions = List.of(unknown(STRADDLE));
    SmallImage image = new SmallImage(12, 4, DISK, FeatureBits.NONE, "", extensions);
    CrashingHostFile start = new CrashingHostFile(image.bytes());
    edit(start, editor -> editor.add("old", 16, true, ExtentSet.of(0, 1)));
    CrashingHostFile file = new CrashingHostFile(start.content());
    edit(
        file,
        editor -> {
          editor.add("new", 16, true, ExtentSet.of(0, 1));
          editor.add("newer", 16, true, ExtentSet.of(0, 1));
        });
    file.forEachCrash(random, 100, (left, _) -> assertThat(read(left).list().size()).isIn(0, 1, 3));
    assertThat(read(file.content()).list()).hasSize(3);
    assertThat(file.flushes()).isEqualTo(5);
  }

  @Test
  void keeps_extensions_that_follow_a_stale_one() throws Exception {
    List<HeaderExtension> extensions =
        List.of(new HeaderExtension.Bitmaps(Bytes.copyOf(new byte[24])), unknown(13));
    SmallImage image = new SmallImage(12, 4, DISK, FeatureBits.NONE, "base.raw", extensions);
    CrashingHostFile file = new CrashingHostFile(image.bytes());
    edit(file, editor -> editor.add("b", 16, true, ExtentSet.of(0, 1)));
    assertThat(read(file.content()).list()).hasSize(1);
    edit(file, editor -> editor.remove("b"));
    ImageHead head = HeadWriter.open(file).head();
    assertThat(head.extensions()).contains(unknown(13)).hasSize(3);
    assertThat(head.backingFile()).contains("base.raw");
    assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
  }

  @Test
  void refuses_a_head_without_room_and_leaves_the_image_as_it_was() throws Exception {
    SmallImage image = new SmallImage(9, 4, DISK, FeatureBits.NONE, "n".repeat(512 - 136));
    CrashingHostFile file = new CrashingHostFile(image.bytes());
    BitmapEditor editor = BitmapEditor.open(file);
    editor.add("b", 16, true, ExtentSet.empty());
    assertThatThrownBy(editor::commit)
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("no room");
    assertThat(read(file.content()).list()).isEmpty();
    assertThat(RefcountAudit.of(file.content()).corruptions()).isZero();
  }

  @Test
  void ignores_bitmaps_that_another_program_has_outlived_and_drops_them_when_it_writes()
      throws Exception {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(16, 4, DISK).bytes());
    edit(file, editor -> editor.add("old", 16, true, ExtentSet.empty()));
    clearAutoclear(file);
    assertThat(read(file.content()).list()).isEmpty();
    assertThat(read(file.content()).warnings()).singleElement().asString().contains("ignored");
    edit(file, editor -> editor.add("new", 16, true, ExtentSet.empty()));
    assertThat(read(file.content()).list()).containsExactly(new BitmapInfo("new", 16, true, false));
    assertThat(RefcountAudit.of(file.content()).corruptions()).isZero();
  }

  private static void clearAutoclear(CrashingHostFile file) throws IOException {
    file.write(88, ByteBuffer.allocate(8));
  }

  @Test
  void clears_autoclear_bits_that_it_does_not_know() throws Exception {
    FeatureBits features = new FeatureBits(0, 0x8000, 0xF0);
    SmallImage image = new SmallImage(16, 4, DISK, features, "");
    CrashingHostFile file = new CrashingHostFile(image.bytes());
    edit(file, editor -> editor.add("b", 16, true, ExtentSet.empty()));
    assertThat(HeadWriter.open(file).head().header().features())
        .isEqualTo(new FeatureBits(0, 0x8000, 1));
  }

  @Test
  void refuses_images_that_are_marked_corrupt_and_writes_nothing() {
    FeatureBits corrupt = FeatureBits.NONE.with(Feature.CORRUPT);
    for (FeatureBits features : List.of(corrupt, corrupt.with(Feature.DIRTY))) {
      byte[] image = new SmallImage(16, 4, DISK, features, "").bytes();
      CrashingHostFile file = new CrashingHostFile(image);
      assertThatThrownBy(() -> BitmapEditor.open(file))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("repair");
      assertThat(file.changes()).isZero();
    }
  }

  @Test
  void lets_a_bitmap_in_use_only_be_removed() throws Exception {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(16, 4, DISK).bytes());
    edit(file, editor -> editor.add("b", 16, true, ExtentSet.empty()));
    markInUse(file);
    assertThat(read(file.content()).list()).containsExactly(new BitmapInfo("b", 16, true, true));
    assertThatThrownBy(() -> read(file.content()).load("b"))
        .isInstanceOf(BitmapRefusedException.class);
    BitmapEditor editor = BitmapEditor.open(file);
    editor.add("other", 16, true, ExtentSet.empty());
    for (Edit edit :
        List.<Edit>of(
            e -> e.clear("b"),
            e -> e.enable("b"),
            e -> e.disable("b"),
            e -> e.merge("b", "other"),
            e -> e.merge("other", "b"),
            e -> e.setDirty("b", ExtentSet.of(0, 1)))) {
      assertThatThrownBy(() -> edit.on(editor)).isInstanceOf(BitmapRefusedException.class);
    }
    assertThatThrownBy(() -> editor.add("b", 16, true, ExtentSet.empty()))
        .isInstanceOf(BitmapRefusedException.class);
    editor.remove("b");
    editor.commit();
    assertThat(read(file.content()).list())
        .containsExactly(new BitmapInfo("other", 16, true, false));
    assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
  }

  private static BitmapsExtension extensionOf(CrashingHostFile file) throws IOException {
    ImageHead head = HeadWriter.open(file).head();
    return new BitmapReader(file, head.header()).extension(head).orElseThrow();
  }

  /** Sets the flag in the only entry of the directory. */
  private static void markInUse(CrashingHostFile file) throws IOException {
    var extension = extensionOf(file);
    file.write(extension.directoryOffset() + 12, ByteBuffer.allocate(4).putInt(3).flip());
  }

  @Test
  void refuses_names_and_sizes_that_the_format_cannot_hold() throws Exception {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(16, 4, DISK).bytes());
    BitmapEditor editor = BitmapEditor.open(file);
    for (String name : List.of("", "n".repeat(1024), "ü".repeat(512), "a\0b")) {
      assertThatThrownBy(() -> editor.add(name, 16, true, ExtentSet.empty()))
          .isInstanceOf(BitmapRefusedException.class);
    }
    assertThatThrownBy(() -> editor.add("b", 8, true, ExtentSet.empty()))
        .isInstanceOf(BitmapRefusedException.class);
    assertThatThrownBy(() -> editor.add("b", 32, true, ExtentSet.empty()))
        .isInstanceOf(BitmapRefusedException.class);
    assertThatThrownBy(() -> editor.remove("b")).isInstanceOf(BitmapNotFoundException.class);
    editor.add("n".repeat(1023), 16, true, ExtentSet.empty());
    editor.commit();
    assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
  }

  @Test
  void refuses_clusters_that_refcounts_call_free_although_metadata_is_there() {
    byte[] image = new SmallImage(9, 4, DISK).bytes();
    // The refcount of the L1 table's first cluster, number 3.
    image[2 * 512 + 7] = 0;
    assertThatThrownBy(() ->
            edit(
                new CrashingHostFile(image),
                editor -> editor.add("b", 16, true, ExtentSet.empty())))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("metadata is there");
  }

  @Test
  void refuses_a_bitmap_whose_table_lies_behind_the_end_of_the_file() throws Exception {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(16, 4, DISK).bytes());
    edit(file, editor -> editor.add("b", 9, true, ExtentSet.of(0, 1)));
    var extension = extensionOf(file);
    file.write(extension.directoryOffset(), ByteBuffer.allocate(8).putLong(1L << 40).flip());
    assertThatThrownBy(() -> read(file.content()).load("b"))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("the file ends at");
  }

  @Test
  void follows_a_model_through_random_edits_in_every_geometry(Random random) throws Exception {
    for (int round = 0; round < 40; round++) {
      int clusterBits = 9 + random.nextInt(5);
      int refcountOrder = random.nextInt(7);
      long disk = 512L * (1 + random.nextInt(2000));
      CrashingHostFile file =
          new CrashingHostFile(new SmallImage(clusterBits, refcountOrder, disk).bytes());
      ModelledBitmaps model = new ModelledBitmaps(random);
      for (int session = 0; session < 6; session++) {
        try (BitmapEditor editor = BitmapEditor.open(file)) {
          for (int i = random.nextInt(4); i >= 0; i--) {
            model.edit(editor);
          }
          editor.commit();
        }
        assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
        assertThat(ModelledBitmaps.describe(read(file.content()))).isEqualTo(model.describe());
      }
    }
  }

  @Test
  void leaves_all_old_or_all_new_bitmaps_after_a_crash_anywhere(Random random) throws Exception {
    for (int round = 0; round < 15; round++) {
      int clusterBits = 9 + random.nextInt(4);
      String backing = random.nextBoolean() ? "the-long-name-of-a-file-that-lies-below.raw" : "";
      boolean straddling = clusterBits == 12 && backing.isEmpty();
      SmallImage image =
          new SmallImage(
              clusterBits,
              random.nextInt(7),
              DISK,
              FeatureBits.NONE,
              backing,
              straddling ? List.of(unknown(STRADDLE)) : List.of());
      ModelledBitmaps model = new ModelledBitmaps(random);
      byte[] before = image.bytes();
      for (int session = 0; session < 4; session++) {
        CrashingHostFile file = new CrashingHostFile(before);
        List<String> old = ModelledBitmaps.describe(read(before));
        try (BitmapEditor editor = BitmapEditor.open(file)) {
          for (int i = random.nextInt(3); i >= 0; i--) {
            model.edit(editor);
          }
          editor.commit();
        }
        List<String> now = ModelledBitmaps.describe(read(file.content()));
        boolean emptied = straddling || old.isEmpty() || now.isEmpty();
        file.forEachCrash(
            random,
            12,
            (left, flushed) -> {
              assertThat(HeadWriter.open(new CrashingHostFile(left)).head().backingFileName())
                  .isEqualTo(HeadWriter.open(file).head().backingFileName());
              assertThat(RefcountAudit.of(left).corruptions()).isZero();
              List<String> found = ModelledBitmaps.describe(read(left));
              assertThat(found)
                  .satisfiesAnyOf(
                      f -> assertThat(f).isEqualTo(old),
                      f -> assertThat(f).isEqualTo(now),
                      f -> assertThat(emptied && f.isEmpty()).isTrue());
            });
        before = file.content();
      }
    }
  }

  @Test
  void keeps_the_old_bitmaps_or_has_the_new_ones_when_any_write_fails(Random random)
      throws Exception {
    byte[] image = new SmallImage(9, 4, DISK).bytes();
    CrashingHostFile start = new CrashingHostFile(image);
    edit(start, editor -> editor.add("a", 9, true, ExtentSet.of(5000, 70_000)));
    byte[] before = start.content();
    List<String> old = ModelledBitmaps.describe(read(before));
    for (int fail = 0; ; fail++) {
      CrashingHostFile file = new CrashingHostFile(before);
      BitmapEditor editor = BitmapEditor.open(file);
      editor.add("b", 9, true, ExtentSet.of(random.nextInt(100_000), 100_000));
      editor.clear("a");
      file.failAfter(fail);
      try {
        editor.commit();
      } catch (IOException expected) {
        assertThat(RefcountAudit.of(file.content()).corruptions()).isZero();
        assertThat(ModelledBitmaps.describe(read(file.content())))
            .satisfiesAnyOf(f -> assertThat(f).isEqualTo(old), f -> assertThat(f).hasSize(2));
        continue;
      }
      assertThat(ModelledBitmaps.describe(read(file.content()))).hasSize(2);
      if (fail > file.changes()) {
        assertThat(RefcountAudit.of(file.content())).isEqualTo(CLEAN);
        return;
      }
    }
  }

  @Test
  void can_commit_again_after_the_disk_was_full_for_a_while() throws Exception {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(9, 4, DISK).bytes());
    BitmapEditor editor = BitmapEditor.open(file);
    editor.add("b", 9, true, ExtentSet.of(0, 100_000).union(ExtentSet.of(200_000, 1)));
    file.failAfter(1);
    assertThatThrownBy(editor::commit).isInstanceOf(IOException.class);
    file.failAfter(Integer.MAX_VALUE);
    // The roll-back failed as well, so what can be relied on is a new editor.
    try (BitmapEditor again = BitmapEditor.open(file)) {
      again.add("b", 9, true, ExtentSet.of(0, 100_000));
      again.commit();
    }
    assertThat(read(file.content()).list()).hasSize(1);
    assertThat(RefcountAudit.of(file.content()).corruptions()).isZero();
  }

  @FunctionalInterface
  private interface Edit {
    void on(BitmapEditor editor) throws IOException;
  }

  private static void edit(CrashingHostFile file, Edit edit) throws IOException {
    try (BitmapEditor editor = BitmapEditor.open(file)) {
      edit.on(editor);
      editor.commit();
    }
  }

  private static PersistentBitmaps read(byte[] image) throws IOException {
    CrashingHostFile file = new CrashingHostFile(image);
    return PersistentBitmaps.read(file, HeadWriter.open(file).head());
  }
}
