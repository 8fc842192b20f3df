package dev.cowbell.qcow2.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.ReferenceOpener;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import dev.cowbell.qcow2.check.CheckReport;
import dev.cowbell.qcow2.check.ImageCheck;
import dev.cowbell.qcow2.compare.DiskComparison;
import dev.cowbell.qcow2.compress.ClusterPacker;
import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.RefcountWidth;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
final class DiskCopyTest {
  private static final int SIZE = (9 << 20) + 7 * 512;

  @Test
  void an_image_of_any_geometry_reads_as_its_source(Random random) throws IOException {
    for (int round = 0; round < 12; round++) {
      GuestDisk source = disk(random, SIZE);
      NewImageOptions options = options(random);
      boolean compressed = random.nextBoolean();
      int threads = 1 + random.nextInt(4);
      MemoryHostFile file = new MemoryHostFile("new.qcow2");
      copy(source, new NewQcow2Image(file, source.size(), options), compressed, options, threads);
      String context = options + (compressed ? " compressed" : "") + ", threads " + threads;
      assertSound(file, context);
      assertSame(source, Qcow2Image.adopt(file, OpenOptions.strict()), context);
    }
  }

  @Test
  void the_same_image_comes_of_any_number_of_threads(Random random) throws IOException {
    GuestDisk source = disk(random, SIZE);
    byte[] first = image(source, 1);
    for (int threads = 2; threads <= 5; threads++) {
      assertThat(image(source, threads)).isEqualTo(first);
    }
  }

  @Test
  void over_a_backing_file_only_what_differs_is_stored(Random random) throws IOException {
    MemoryHostFile base = content(random, SIZE / 2 & -512);
    MemoryHostFile changed = new MemoryHostFile("changed", bytes(base, SIZE));
    for (int i = 0; i < 6; i++) {
      byte[] some = new byte[random.nextInt(100_000)];
      if (random.nextBoolean()) {
        random.nextBytes(some);
      }
      changed.write(random.nextInt(SIZE - 100_000), ByteBuffer.wrap(some));
    }
    GuestDisk source = RawDisk.adopt(changed);
    NewImageOptions options = NewImageOptions.DEFAULT.withBacking("base", "raw");
    MemoryHostFile file = new MemoryHostFile("new.qcow2");
    new DiskCopy(
            source,
            new NewQcow2Image(file, source.size(), options),
            Optional.of(RawDisk.adopt(base)),
            Optional.empty(),
            true,
            3,
            CopyListener.NONE)
        .run();
    CheckReport report = assertSound(file, "over a backing file");
    assertThat(report.allocatedClusters()).isLessThan(6 * 3 + 1);
    ReferenceOpener backing = _ -> base;
    assertSame(
        source,
        Qcow2Image.adopt(file, OpenOptions.strict().withReferences(backing)),
        "over a backing file");
  }

  @Test
  void a_new_image_may_start_with_a_clean_bitmap_that_records() throws IOException {
    NewImageOptions options =
        NewImageOptions.DEFAULT.withBitmap("one", 16, 1 << 20).withBitmap("other", 12, 1 << 20);
    MemoryHostFile file = new MemoryHostFile("new.qcow2");
    GuestDisk source = RawDisk.adopt(new MemoryHostFile("empty", new byte[1 << 20]));
    DiskCopy.of(source, new NewQcow2Image(file, source.size(), options), CopyListener.NONE).run();
    assertSound(file, "with bitmaps");
    Qcow2Image image = Qcow2Image.adopt(file, OpenOptions.strict());
    PersistentBitmaps bitmaps = PersistentBitmaps.read(file, image.head());
    assertThat(bitmaps.list()).hasSize(2).allMatch(bitmap -> bitmap.enabled() && !bitmap.inUse());
    assertThat(bitmaps.load("one").isClean()).isTrue();
  }

  @Test
  void what_an_interrupted_copy_leaves_is_no_image(Random random) throws IOException {
    GuestDisk source = disk(random, 3 << 20);
    int writes = writesOf(source, Integer.MAX_VALUE, new MemoryHostFile("whole"));
    for (int allowed = 0; allowed < writes; allowed++) {
      MemoryHostFile file = new MemoryHostFile("cut");
      int limit = allowed;
      assertThatThrownBy(() -> writesOf(source, limit, file)).hasMessageContaining("disk full");
      assertThat(file.size() == 0 || bytes(file, 4)[0] == 0).as("after %d writes", limit).isTrue();
    }
  }

  @Test
  void a_listener_can_end_a_copy(Random random) throws IOException {
    GuestDisk source = disk(random, SIZE);
    CopyTarget target =
        new NewQcow2Image(new MemoryHostFile("x"), source.size(), NewImageOptions.DEFAULT);
    CopyListener tired =
        _ -> {
          throw new IOException("enough");
        };
    assertThatThrownBy(() -> DiskCopy.of(source, target, tired).run()).hasMessage("enough");
  }

  @Test
  void zeroes_are_written_over_what_a_raw_target_held(Random random) throws IOException {
    GuestDisk source = disk(random, SIZE);
    byte[] old = new byte[SIZE];
    random.nextBytes(old);
    MemoryHostFile file = new MemoryHostFile("old.raw", old);
    DiskCopy.of(
            source,
            new NewRawImage(
                file, source.size(), 4096, NewRawImage.Before.ANYTHING, Preallocation.OFF),
            CopyListener.NONE)
        .run();
    assertSame(source, RawDisk.adopt(file), "raw");
  }

  private static int writesOf(GuestDisk source, int allowed, MemoryHostFile file)
      throws IOException {
    AtomicInteger writes = new AtomicInteger();
    HostFile counting = new FullDisk(file, allowed, writes);
    CopyTarget target = new NewQcow2Image(counting, source.size(), NewImageOptions.DEFAULT);
    new DiskCopy(source, target, Optional.empty(), Optional.empty(), true, 1, CopyListener.NONE)
        .run();
    return writes.get();
  }

  private static byte[] image(GuestDisk source, int threads) throws IOException {
    MemoryHostFile file = new MemoryHostFile("new.qcow2");
    copy(
        source,
        new NewQcow2Image(file, source.size(), NewImageOptions.DEFAULT),
        true,
        NewImageOptions.DEFAULT,
        threads);
    return bytes(file, (int) file.size());
  }

  private static void copy(
      GuestDisk source, CopyTarget target, boolean compressed, NewImageOptions options, int threads)
      throws IOException {
    new DiskCopy(
            source,
            target,
            Optional.empty(),
            compressed
                ? Optional.of(() -> ClusterPacker.of(options.compressionType()))
                : Optional.empty(),
            true,
            threads,
            CopyListener.NONE)
        .run();
  }

  private static NewImageOptions options(Random random) {
    int version = random.nextInt(4) == 0 ? 2 : 3;
    int clusterBits = 9 + random.nextInt(13);
    boolean extended = version == 3 && clusterBits >= 14 && random.nextBoolean();
    RefcountWidth width =
        version == 2 ? RefcountWidth.DEFAULT : new RefcountWidth(random.nextInt(7));
    CompressionType type =
        version == 3 && random.nextBoolean() ? CompressionType.ZSTD : CompressionType.ZLIB;
    return new NewImageOptions(
        version,
        new Geometry(clusterBits, extended, width),
        type,
        version == 3 && random.nextBoolean(),
        Optional.empty(),
        List.of());
  }

  /** Runs of noise, of text that compresses, and of zeroes. */
  private static GuestDisk disk(Random random, int size) throws IOException {
    return RawDisk.adopt(content(random, size));
  }

  private static MemoryHostFile content(Random random, int size) {
    byte[] bytes = new byte[size];
    for (int at = 0; at < size; ) {
      int length = Math.min(size - at, 1 + random.nextInt(400_000));
      byte[] run = new byte[length];
      switch (random.nextInt(3)) {
        case 0 -> random.nextBytes(run);
        case 1 -> {
          for (int i = 0; i < length; i++) {
            run[i] = (byte) (random.nextInt(8) == 0 ? random.nextInt() : 'a');
          }
        }
        default -> {}
      }
      System.arraycopy(run, 0, bytes, at, length);
      at += length;
    }
    return new MemoryHostFile("source.raw", bytes);
  }

  private static byte[] bytes(MemoryHostFile file, int length) {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    file.read(0, bytes);
    return bytes.array();
  }

  private static CheckReport assertSound(MemoryHostFile file, String context) throws IOException {
    CheckReport report =
        ImageCheck.run(
            file,
            finding -> {
              throw new AssertionError(context + ": " + finding.description());
            });
    assertThat(report.verdict()).as(context).isEqualTo(CheckReport.Verdict.CLEAN);
    return report;
  }

  private static void assertSame(GuestDisk expected, GuestDisk actual, String context)
      throws IOException {
    assertThat(actual.size()).as(context).isEqualTo(expected.size());
    assertThat(DiskComparison.firstDifference(expected, actual, 2, _ -> {})).as(context).isEmpty();
  }

  /** Fails every write behind the first few. */
  private record FullDisk(MemoryHostFile file, int allowed, AtomicInteger writes)
      implements HostFile {

    @Override
    public String name() {
      return file.name();
    }

    @Override
    public long size() {
      return file.size();
    }

    @Override
    public int read(long at, ByteBuffer dst) {
      return file.read(at, dst);
    }

    @Override
    public void write(long at, ByteBuffer src) throws IOException {
      if (writes.getAndIncrement() >= allowed) {
        throw new IOException("disk full");
      }
      file.write(at, src);
    }

    @Override
    public void resize(long size) {
      file.resize(size);
    }

    @Override
    public void punchHole(long at, long length) {
      file.punchHole(at, length);
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }
}
