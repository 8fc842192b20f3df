package dev.cowbell.it.writing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import dev.cowbell.qcow2.write.BarrierMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Snapshots that are made and deleted while others write: each shows one moment. */
final class SnapshotsWhileWritingIT {
  private static final int SLOT = 512;
  private static final int SLOTS = 4096;
  private static final int WRITERS = 4;
  private static final long PAUSE_NANOS = 1_000_000;
  private static final int SNAPSHOTS = Integer.getInteger("cowbell.rounds", 6);
  private static final long SEED = Long.getLong("cowbell.seed", System.nanoTime());

  @TempDir private Path dir;

  /** The number last written to each slot, and the one being written. */
  private final AtomicLongArray written = new AtomicLongArray(SLOTS);

  private final AtomicLongArray begun = new AtomicLongArray(SLOTS);
  private final AtomicBoolean stop = new AtomicBoolean();

  @ParameterizedTest
  @ValueSource(
      strings = {"cluster_size=512", "cluster_size=64k", "cluster_size=16k,extended_l2=on"})
  void a_snapshot_shows_one_moment_of_what_many_threads_write(String options) throws Exception {
    Path path = dir.resolve("image.qcow2");
    QemuImg.create(path, options, (long) SLOT * SLOTS);
    OpenOptions writing =
        OpenOptions.following().withAccess(Access.READ_WRITE).withBarriers(BarrierMode.NONE);
    try (Qcow2Image image = Qcow2Image.open(path, writing);
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> running = new ArrayList<>();
      for (int i = 0; i < WRITERS; i++) {
        int own = i;
        running.add(
            executor.submit(() -> {
              write(image, own);
              return null;
            }));
      }
      try {
        for (int i = 0; i < SNAPSHOTS; i++) {
          snapshot(image, i);
        }
      } finally {
        stop.set(true);
      }
      for (Future<?> each : running) {
        each.get();
      }
      for (int slot = 0; slot < SLOTS; slot++) {
        assertThat(read(image, slot)).as("seed " + SEED).isEqualTo(written.get(slot));
      }
    }
    QemuImg.checkClean(path);
  }

  private void write(Qcow2Image image, int own) throws IOException {
    Random random = new Random(SEED + own);
    ByteBuffer bytes = ByteBuffer.allocate(SLOT);
    for (long number = 1; !stop.get(); number++) {
      int slot = random.nextInt(SLOTS / WRITERS) * WRITERS + own;
      begun.set(slot, number);
      bytes.clear().putLong(0, number).putLong(SLOT - Long.BYTES, number);
      image.write((long) slot * SLOT, bytes);
      written.set(slot, number);
      if (number % 8 == 0) {
        LockSupport.parkNanos(PAUSE_NANOS);
      }
    }
  }

  private void snapshot(Qcow2Image image, int i) throws IOException {
    long[] before = values(written);
    SnapshotEntry made = image.createSnapshot(NewSnapshot.named("s" + i, Instant.EPOCH));
    long[] after = values(begun);
    try (MappedDisk shown = image.openSnapshot(made)) {
      for (int slot = 0; slot < SLOTS; slot++) {
        assertThat(read(shown, slot)).as("seed " + SEED).isBetween(before[slot], after[slot]);
      }
    }
    if (i >= 3) {
      image.deleteSnapshot("snapshot.name=s" + (i - 3));
    }
  }

  private static long[] values(AtomicLongArray numbers) {
    long[] values = new long[SLOTS];
    for (int i = 0; i < SLOTS; i++) {
      values[i] = numbers.get(i);
    }
    return values;
  }

  private static long read(MappedDisk disk, int slot) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(SLOT);
    disk.read((long) slot * SLOT, bytes);
    assertThat(bytes.getLong(0)).isEqualTo(bytes.getLong(SLOT - Long.BYTES));
    return bytes.getLong(0);
  }

  @Test
  void goes_on_from_a_snapshot_that_is_applied() throws Exception {
    Path path = dir.resolve("image.qcow2");
    QemuImg.create(path, "", 1 << 20);
    OpenOptions writing = OpenOptions.following().withAccess(Access.READ_WRITE);
    try (Qcow2Image image = Qcow2Image.open(path, writing)) {
      image.write(0, ByteBuffer.wrap(new byte[] {1, 2, 3}));
      SnapshotEntry small = image.createSnapshot(NewSnapshot.named("small", Instant.EPOCH));
      image.resize(8 << 20, Qcow2Image.Shrinking.REFUSED);
      image.write(0, ByteBuffer.wrap(new byte[] {4, 5, 6}));
      image.write(7 << 20, ByteBuffer.wrap(new byte[] {7}));
      image.createSnapshot(NewSnapshot.named("large", Instant.EPOCH));
      assertThat(image.applySnapshot("small").id()).isEqualTo(small.id());
      assertThat(image.size()).isEqualTo(1 << 20);
      image.write(1, ByteBuffer.wrap(new byte[] {9}));
      byte[] shown = new byte[4];
      image.read(0, ByteBuffer.wrap(shown));
      assertThat(shown).containsExactly(1, 9, 3, 0);
      image.applySnapshot("large");
      assertThat(image.size()).isEqualTo(8 << 20);
      image.read(0, ByteBuffer.wrap(shown));
      assertThat(shown).containsExactly(4, 5, 6, 0);
      image.deleteSnapshot("small");
      image.deleteSnapshot("large");
      assertThat(image.snapshots().entries()).isEmpty();
    }
    QemuImg.checkClean(path);
  }
}
