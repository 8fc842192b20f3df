package dev.cowbell.agent.digests;

import static dev.cowbell.agent.repository.Samples.P1;
import static dev.cowbell.agent.repository.Samples.P2;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.DiskChain.Link;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Samples;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.overlay.ContentDigest;
import dev.cowbell.qcow2.overlay.OverlayIdentity;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.directory.DirectoryStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DigestChainTest {

  private static final int BLOCK = ContentDigest.MIN_UNIT;
  private static final int BLOCKS = 96;
  private static final UUID REPOSITORY = new UUID(1, 2);

  /** What the samples' manifests say. */
  private static final long SIZE = 1L << 30;

  @TempDir private Path root;

  private final ContentDigest digest = new ContentDigest(REPOSITORY.toString());

  private DirectoryStore store() throws IOException {
    return DirectoryStore.create(root, Clock.systemUTC());
  }

  private static Link link(PointId point, Optional<PointId> parent) {
    return new Link(point, Samples.disk(point, parent));
  }

  private static OverlayIdentity identity(PointId point) {
    return new OverlayIdentity(
        REPOSITORY.toString(), Samples.VM.value(), Samples.VDA.value(), point.value());
  }

  private DigestsWriter writer(DirectoryStore store, PointId point, Optional<PointId> upon)
      throws IOException {
    return DigestsWriter.begin(
        store,
        Layout.digests(Samples.VM, Samples.VDA, point),
        Precondition.NONE,
        identity(point),
        upon,
        SIZE,
        0);
  }

  private ByteBuffer digests(byte[] disk, int from, int unit, int count) {
    byte[] digests = new byte[count * ContentDigest.LENGTH];
    for (int i = 0; i < count; i++) {
      digest.digest(from + i * unit, ByteBuffer.wrap(disk, from + i * unit, unit), digests, i * 16);
    }
    return ByteBuffer.wrap(digests);
  }

  /**
   * Writes what an overlay of random clusters of a disk would have, and answers which those are.
   */
  private void describe(
      DirectoryStore store,
      byte[] disk,
      PointId point,
      Optional<PointId> upon,
      boolean[] changed,
      int unit)
      throws IOException {
    try (DigestsWriter writer = writer(store, point, upon)) {
      int blocks = unit / BLOCK;
      for (int i = 0; i < BLOCKS; i += blocks) {
        boolean any = false;
        for (int j = i; j < i + blocks; j++) {
          any |= changed[j];
        }
        if (!any) {
          continue;
        }
        boolean zero = isZero(disk, i * BLOCK, unit);
        if (!zero) {
          writer.data((long) i * BLOCK, unit, digests(disk, i * BLOCK, unit, 1));
        } else if (upon.isPresent()) {
          writer.zero((long) i * BLOCK, unit);
        }
      }
      writer.commit();
    }
  }

  private static boolean isZero(byte[] disk, int at, int length) {
    return Arrays.mismatch(disk, at, at + length, new byte[length], 0, length) < 0;
  }

  private static final class MemoryDisk implements GuestDisk {
    private final byte[] bytes;

    MemoryDisk(byte[] bytes) {
      this.bytes = bytes;
    }

    @Override
    public long size() {
      return bytes.length;
    }

    @Override
    public void read(long at, ByteBuffer dst) {
      dst.put(bytes, (int) at, dst.remaining());
    }

    @Override
    public List<Extent> extents(long at, long length) {
      return List.of(new Extent(at, length, Extent.Status.DATA));
    }

    @Override
    public void close() {}
  }

  @Test
  void every_difference_from_a_random_chain_is_found_also_when_it_was_merged() throws IOException {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    Random random = new Random(seed);
    for (int round = 0; round < 60; round++) {
      compareOnce(random, seed);
    }
  }

  private void compareOnce(Random random, long seed) throws IOException {
    byte[] disk = new byte[BLOCKS * BLOCK];
    boolean[] all = new boolean[BLOCKS];
    Arrays.fill(all, true);
    change(disk, random, BLOCKS / 2, new boolean[BLOCKS]);
    int fullUnit = BLOCK << random.nextInt(5);
    int unit = BLOCK << random.nextInt(5);
    int lastUnit = BLOCK << random.nextInt(5);
    PointId p3 = new PointId("20990101T000000Z-0000");
    Optional<PointId> first = Optional.of(P1);
    try (DirectoryStore store = store()) {
      describe(store, disk, P1, Optional.empty(), all, fullUnit);
      boolean[] second = new boolean[BLOCKS];
      change(disk, random, 10, second);
      describe(store, disk, P2, first, second, unit);
      boolean[] third = new boolean[BLOCKS];
      change(disk, random, 10, third);
      describe(store, disk, p3, Optional.of(P2), third, lastUnit);
      DiskChain chain =
          chain(link(p3, Optional.of(P2)), link(P2, first), link(P1, Optional.empty()));

      byte[] now = disk.clone();
      change(now, random, random.nextInt(10), new boolean[BLOCKS]);
      assertCovers(store, chain, disk, now, seed);
      boolean fine = fullUnit <= unit && unit <= lastUnit;
      if (fine) {
        assertThat(differences(store, chain, disk))
            .as("seed %d", seed)
            .isEqualTo(ExtentSet.empty());
      }
      assertThat(
              new DigestsMerge(store, REPOSITORY)
                  .run(Samples.VM, Samples.VDA, chain.links().subList(0, 2), first))
          .isPresent();
      assertCovers(store, chain, disk, now, seed);
      DiskChain merged = chain(link(p3, first), link(P1, Optional.empty()));
      assertCovers(store, merged, disk, now, seed);
      if (fine) {
        assertThat(differences(store, merged, disk))
            .as("seed %d", seed)
            .isEqualTo(ExtentSet.empty());
      }
    }
  }

  private static DiskChain chain(Link... links) {
    return new DiskChain(Samples.VM, Samples.VDA, List.of(links));
  }

  private static void change(byte[] disk, Random random, int count, boolean[] changed) {
    for (int i = 0; i < count; i++) {
      int block = random.nextInt(BLOCKS);
      byte[] content = new byte[BLOCK];
      if (random.nextInt(3) > 0) {
        // few contents, so that some come back
        Arrays.fill(content, (byte) (1 + random.nextInt(3)));
      }
      System.arraycopy(content, 0, disk, block * BLOCK, BLOCK);
      changed[block] = true;
    }
  }

  private static ExtentSet differences(DirectoryStore store, DiskChain chain, byte[] now)
      throws IOException {
    return new ContentComparison(
            REPOSITORY, new MemoryDisk(now), ContentComparison.Choice.ALL, _ -> {})
        .run(DigestChain.open(store, REPOSITORY, chain));
  }

  private static void assertCovers(
      DirectoryStore store, DiskChain chain, byte[] then, byte[] now, long seed)
      throws IOException {
    ExtentSet found = differences(store, chain, now);
    for (int i = 0; i < now.length; i += 512) {
      if (!Arrays.equals(then, i, i + 512, now, i, i + 512)) {
        assertThat(found.contains(i)).as("seed %d, byte %d", seed, i).isTrue();
      }
    }
  }

  @Test
  void no_flipped_or_missing_byte_goes_unnoticed() throws IOException {
    byte[] disk = new byte[BLOCKS * BLOCK];
    new Random(1).nextBytes(disk);
    boolean[] all = new boolean[BLOCKS];
    Arrays.fill(all, true);
    try (DirectoryStore store = store()) {
      describe(store, disk, P1, Optional.empty(), all, BLOCK);
      DiskChain chain = chain(link(P1, Optional.empty()));
      Path file = root.resolve(Layout.digests(Samples.VM, Samples.VDA, P1).value());
      byte[] good = Files.readAllBytes(file);
      List<byte[]> bad = new ArrayList<>();
      for (int i = 0; i < good.length; i += i < 1100 ? 1 : 37) {
        byte[] flipped = good.clone();
        flipped[i] ^= 1;
        bad.add(flipped);
      }
      for (int length : new int[] {0, 5, 1023, 1024, 1030, good.length - 1}) {
        bad.add(Arrays.copyOf(good, length));
      }
      bad.add(Arrays.copyOf(good, good.length + 1));
      for (byte[] bytes : bad) {
        Files.write(file, bytes);
        assertThatExceptionOfType(DamagedObjectException.class)
            .isThrownBy(() -> readAll(store, chain));
      }
      Files.write(file, good);
      readAll(store, chain);
    }
  }

  @Test
  void digests_that_lie_upon_a_point_above_the_overlays_parent_are_refused() throws IOException {
    try (DirectoryStore store = store()) {
      writer(store, P2, Optional.of(P1)).commit();
      DiskChain chain = chain(link(P2, Optional.empty()));
      assertThatExceptionOfType(DamagedObjectException.class)
          .isThrownBy(() -> readAll(store, chain))
          .withMessageContaining("lies upon");
    }
  }

  private static void readAll(DirectoryStore store, DiskChain chain) throws IOException {
    DigestChain digests = DigestChain.open(store, REPOSITORY, chain);
    DigestRun run = digests.next();
    while (run != null) {
      run = digests.next();
    }
  }
}
