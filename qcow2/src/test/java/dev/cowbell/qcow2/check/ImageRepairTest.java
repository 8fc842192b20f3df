package dev.cowbell.qcow2.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.build.CopyListener;
import dev.cowbell.qcow2.build.DiskCopy;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.build.NewQcow2Image;
import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.RefcountWidth;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Repairs of an image of sixteen data clusters. */
final class ImageRepairTest {
  private static final int CLUSTER = 65536;
  private static final long COPIED = 1L << 63;
  private static final int FEATURES = Header.INCOMPATIBLE_FEATURES.offset();

  private byte[] content = new byte[0];
  private ByteBuffer image = ByteBuffer.allocate(0);
  private int l1;
  private int l2;
  private int refcountTable;
  private int refcountBlock;

  @BeforeEach
  void makeAnImage() throws IOException {
    makeAnImage(NewImageOptions.DEFAULT);
  }

  private void makeAnImage(NewImageOptions options) throws IOException {
    content = new byte[16 * CLUSTER];
    new Random(7).nextBytes(content);
    RawDisk source = RawDisk.adopt(new MemoryHostFile("source", content));
    MemoryHostFile file = new MemoryHostFile("image");
    DiskCopy.of(source, new NewQcow2Image(file, source.size(), options), CopyListener.NONE).run();
    image = ByteBuffer.allocate((int) file.size());
    file.read(0, image);
    l1 = (int) image.getLong(Header.L1_TABLE_OFFSET.offset());
    l2 = (int) L1Entry.offset(image.getLong(l1));
    refcountTable = (int) image.getLong(Header.REFCOUNT_TABLE_OFFSET.offset());
    refcountBlock = (int) image.getLong(refcountTable);
  }

  @Test
  void a_sound_image_is_not_written_to() throws IOException {
    CrashingHostFile file = new CrashingHostFile(image.array());
    RepairReport report = ImageRepair.repair(file, RepairMode.ALL);
    assertThat(report.after().verdict()).isEqualTo(CheckReport.Verdict.CLEAN);
    assertThat(file.changes()).isZero();
  }

  @Test
  void a_crash_while_leaks_are_repaired_costs_nothing() throws Exception {
    refcount(3, 2);
    refcount(5, 7);
    survivesCrashes(RepairMode.LEAKS);
  }

  @Test
  void a_crash_while_refcounts_are_raised_and_lowered_costs_nothing() throws Exception {
    refcount(3, 0);
    refcount(5, 7);
    image.putLong(l2, image.getLong(l2) & ~COPIED);
    survivesCrashes(RepairMode.ALL);
  }

  @Test
  void a_crash_while_the_refcount_structure_is_rebuilt_costs_nothing() throws Exception {
    image.putLong(refcountTable, 0);
    survivesCrashes(RepairMode.ALL);
  }

  @Test
  void a_crash_while_blocks_on_the_header_are_replaced_costs_nothing() throws Exception {
    image.putLong(refcountTable + 8, l1);
    image.putLong(FEATURES, image.getLong(FEATURES) | Feature.CORRUPT.mask());
    survivesCrashes(RepairMode.ALL);
  }

  @Test
  void repairs_a_refcount_table_at_a_place_that_cannot_be() throws Exception {
    image.putLong(Header.REFCOUNT_TABLE_OFFSET.offset(), -1);
    survivesCrashes(RepairMode.ALL);
  }

  @Test
  void a_rebuild_keeps_off_what_has_no_readable_refcount() throws Exception {
    Geometry small = new Geometry(9, false, RefcountWidth.DEFAULT);
    makeAnImage(
        new NewImageOptions(3, small, CompressionType.ZLIB, false, Optional.empty(), List.of()));
    for (int entry = 0; image.getLong(refcountTable + entry) != 0; entry += Long.BYTES) {
      image.putLong(refcountTable + entry, Long.MIN_VALUE);
    }
    MemoryHostFile file = new MemoryHostFile("image", image.array());
    RepairReport report = ImageRepair.repair(file, RepairMode.ALL);
    assertThat(report.after().verdict()).isEqualTo(CheckReport.Verdict.CLEAN);
    assertThat(read(file)).isEqualTo(content);
  }

  @Test
  void a_rebuild_leaves_alone_what_an_entry_behind_the_end_refers_to() throws Exception {
    image.putLong(l2 + 8, image.capacity() | COPIED);
    image.putLong(refcountTable, 0);
    Arrays.fill(content, CLUSTER, 2 * CLUSTER, (byte) 0);
    MemoryHostFile file = new MemoryHostFile("image", image.array());
    ImageRepair.repair(file, RepairMode.ALL);
    assertThat(read(file)).isEqualTo(content);
  }

  @Test
  void leaves_entries_alone_whose_table_is_something_else_too() throws Exception {
    image.putLong(l2 + 8, l2);
    MemoryHostFile file = new MemoryHostFile("image", image.array());
    byte[] before = read(file);
    ImageRepair.repair(file, RepairMode.ALL);
    assertThat(read(file)).isEqualTo(before);
  }

  @Test
  void a_repair_of_leaks_refuses_what_needs_more_and_writes_nothing() {
    refcount(3, 0);
    CrashingHostFile file = new CrashingHostFile(image.array());
    assertThatThrownBy(() -> ImageRepair.repair(file, RepairMode.LEAKS))
        .hasMessageContaining("has to be rebuilt");
    assertThat(file.changes()).isZero();
  }

  @Test
  void a_dirty_image_becomes_fit_for_writing() throws IOException {
    refcount(3, 0);
    MemoryHostFile clean = new MemoryHostFile("image", image.array().clone());
    assertThat(ImageRepair.recoverDirty(clean)).isFalse();
    image.putLong(FEATURES, Feature.DIRTY.mask());
    MemoryHostFile dirty = new MemoryHostFile("image", image.array());
    assertThat(ImageRepair.recoverDirty(dirty)).isTrue();
    assertThat(Qcow2Image.readHead(dirty).header().features().has(Feature.DIRTY)).isFalse();
  }

  @Test
  void a_dirty_image_with_damage_that_stays_is_not_fit_for_writing() {
    image.putLong(l2 + 8, (image.getLong(l2 + 8) + 512));
    image.putLong(FEATURES, Feature.DIRTY.mask());
    MemoryHostFile dirty = new MemoryHostFile("image", image.array());
    assertThatThrownBy(() -> ImageRepair.recoverDirty(dirty)).hasMessageContaining("dirty bit");
  }

  @Test
  void a_refused_write_leaves_an_image_that_can_be_repaired_again() throws Exception {
    image.putLong(refcountTable, 0);
    image.putLong(FEATURES, Feature.DIRTY.mask());
    for (int allowed = 0; ; allowed++) {
      CrashingHostFile file = new CrashingHostFile(image.array());
      file.failAfter(allowed);
      boolean done = false;
      try {
        ImageRepair.repair(file, RepairMode.ALL);
        done = true;
      } catch (IOException e) {
        assertThat(e).hasMessageContaining("as the test asked");
      }
      isRepairable(file.content(), RepairMode.ALL);
      if (done) {
        return;
      }
    }
  }

  private void survivesCrashes(RepairMode mode) throws Exception {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    CrashingHostFile file = new CrashingHostFile(image.array());
    RepairReport report = ImageRepair.repair(file, mode);
    assertThat(report.after().verdict()).isEqualTo(CheckReport.Verdict.CLEAN);
    try {
      file.forEachCrash(new Random(seed), 8, (crashed, _) -> isRepairable(crashed, mode));
    } catch (AssertionError e) {
      throw new AssertionError("-Dcowbell.seed=" + seed, e);
    }
  }

  /** Reads as before, and a second repair does what the first could not finish. */
  private void isRepairable(byte[] crashed, RepairMode mode) throws IOException {
    MemoryHostFile file = new MemoryHostFile("crashed", crashed);
    if (image.getLong(Header.REFCOUNT_TABLE_OFFSET.offset()) >= 0) {
      assertThat(read(file)).isEqualTo(content);
    }
    RepairReport report = ImageRepair.repair(file, mode);
    assertThat(report.after().verdict()).isEqualTo(CheckReport.Verdict.CLEAN);
    assertThat(read(file)).isEqualTo(content);
  }

  private static byte[] read(MemoryHostFile file) throws IOException {
    Qcow2Image disk = Qcow2Image.adopt(file, OpenOptions.strict());
    ByteBuffer bytes = ByteBuffer.allocate((int) disk.size());
    disk.read(0, bytes);
    return bytes.array();
  }

  private void refcount(int cluster, int value) {
    image.putShort(refcountBlock + 2 * cluster, (short) value);
  }
}
