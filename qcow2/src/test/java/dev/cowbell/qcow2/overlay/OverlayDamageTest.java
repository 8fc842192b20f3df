package dev.cowbell.qcow2.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.compress.CodecPool;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(300)
class OverlayDamageTest {
  private static CodecPool pool = new CodecPool(1);

  @BeforeAll
  static void startPool() {
    pool = new CodecPool(2);
  }

  @AfterAll
  static void stopPool() {
    pool.close();
  }

  /** Four clusters of data, one of zeroes, one that is incompressible. */
  private static StoredOverlay small() throws IOException {
    SparseDisk disk = new SparseDisk(1 << 20);
    byte[] noise = new byte[4096];
    new Random(6).nextBytes(noise);
    for (int i = 0; i < 4; i++) {
      byte[] text = ("line " + i + " of some text\n").repeat(100).getBytes(StandardCharsets.UTF_8);
      disk.write(i * 65536L, text);
    }
    disk.write(400_000 & -4096, noise);
    ExtentSet changed =
        ExtentSet.builder()
            .add(0, 4096)
            .add(65536, 4096)
            .add(131072, 4096)
            .add(196608, 4096)
            .add(300_000, 1)
            .add(400_000 & -4096, 4096)
            .build();
    return StoredOverlay.write(
        "small.qcow2",
        pool,
        disk,
        4096,
        Optional.of("parent.qcow2"),
        OverlayExtents.changed(disk, changed));
  }

  private static List<OverlayDamage> verify(StoredOverlay overlay) throws IOException {
    return new OverlayVerifier(pool).data(overlay, overlay.expectation(), OverlayMonitor.NONE);
  }

  @Test
  void a_flipped_byte_anywhere_is_found() throws IOException {
    StoredOverlay overlay = small();
    assertThat(verify(overlay)).isEmpty();
    Random random = new Random(7);
    for (int at = 0; at < overlay.object().length; at++) {
      if (overlay.object()[at] == 0 && at % 16 != 0) {
        continue; // most of it is padding, of which a sample will do
      }
      byte[] damaged = overlay.object().clone();
      damaged[at] ^= (byte) (1 << random.nextInt(8));
      assertThat(verify(overlay.with(damaged))).as("byte %d", at).isNotEmpty();
    }
  }

  @Test
  void a_flipped_byte_in_a_frame_names_what_is_lost_and_fails_the_read() throws IOException {
    StoredOverlay overlay = small();
    FrameCursor frames = new FrameCursor(overlay.open(), new DamageList());
    while (frames.next()) {
      byte[] damaged = overlay.object().clone();
      damaged[(int) frames.hostOffset() + 20] ^= 1;
      StoredOverlay bad = overlay.with(damaged);
      assertThat(verify(bad))
          .filteredOn(OverlayDamage.Lost.class::isInstance)
          .map(OverlayDamage.Lost.class::cast)
          .singleElement()
          .satisfies(lost -> {
            assertThat(lost.guestOffset()).isEqualTo(frames.guestOffset());
            assertThat(lost.guestLength()).isEqualTo(4096);
          });
      try (OverlayChainDisk disk = new OverlayChainDisk(new OverlayChain(List.of(bad.open())))) {
        assertThatThrownBy(() -> disk.read(frames.guestOffset(), ByteBuffer.allocate(1)))
            .isInstanceOf(DamagedClusterException.class)
            .hasMessageContaining("small.qcow2");
      }
    }
    assertThat(frames.dataClusters()).isEqualTo(5);
    assertThat(frames.zeroClusters()).isEqualTo(1);
  }

  @Test
  void metadata_alone_shows_damage_to_metadata_alone() throws IOException {
    StoredOverlay overlay = small();
    OverlayVerifier verifier = new OverlayVerifier(pool);
    for (Seal seal : overlay.open().blocks().table().seals()) {
      byte[] damaged = overlay.object().clone();
      damaged[(int) seal.offset() + 9] ^= 4;
      assertThat(verifier.metadata(overlay.with(damaged), overlay.expectation()))
          .as("%s", seal)
          .hasSize(1);
    }
    byte[] damaged = overlay.object().clone();
    damaged[4096 + 20] ^= 4;
    assertThat(verifier.metadata(overlay.with(damaged), overlay.expectation())).isEmpty();
  }

  @Test
  void a_damaged_l2_table_loses_what_it_maps_and_no_more() throws IOException {
    SparseDisk disk = new SparseDisk(64 << 20);
    byte[] content = new byte[64 << 20];
    new Random(8).nextBytes(content);
    disk.write(0, content);
    StoredOverlay overlay =
        StoredOverlay.write(
            "big.qcow2", pool, disk, 65536 << 1, Optional.empty(), OverlayExtents.full(disk));
    assertThat(overlay.expectation().dataClusters()).isEqualTo(512);
    Seal tables = overlay.open().blocks().table().seals().getFirst();
    byte[] damaged = overlay.object().clone();
    damaged[(int) tables.offset()] ^= 1;
    assertThat(verify(overlay.with(damaged)))
        .filteredOn(OverlayDamage.Lost.class::isInstance)
        .containsExactly(
            new OverlayDamage.Lost(
                0,
                64 << 20,
                "big.qcow2: the metadata at bytes %d to %d (L2_TABLES) is not what was written"
                    .formatted(tables.offset(), tables.end() - 1)));
  }

  @Test
  void a_truncated_object_is_unreadable() throws IOException {
    StoredOverlay overlay = small();
    for (int length : new int[] {0, 1, 4095, 4096, overlay.object().length - 1}) {
      StoredOverlay cut = overlay.with(Arrays.copyOf(overlay.object(), length));
      assertThat(verify(cut)).singleElement().isInstanceOf(OverlayDamage.Unreadable.class);
      assertThatThrownBy(cut::open).isInstanceOf(CorruptImageException.class);
    }
  }

  @Test
  void another_overlay_in_its_place_is_found() throws IOException {
    SparseDisk disk = new SparseDisk(1 << 20).write(0, new byte[] {1});
    StoredOverlay other =
        StoredOverlay.write(
            "other.qcow2", pool, disk, 4096, Optional.empty(), OverlayExtents.full(disk));
    assertThat(verify(small().with(other.object())))
        .singleElement()
        .isInstanceOf(OverlayDamage.Unreadable.class);
  }

  @Test
  void counts_that_differ_from_the_manifests_are_found() throws IOException {
    StoredOverlay overlay = small();
    OverlayExpectation is = overlay.expectation();
    OverlayExpectation other =
        new OverlayExpectation(is.size(), is.headDigest(), is.bodyDigest(), 6, 1);
    assertThat(new OverlayVerifier(pool).metadata(overlay, other))
        .singleElement()
        .isEqualTo(
            new OverlayDamage.Altered("there are 5 data and 1 zero clusters instead of 6 and 1"));
  }

  /** Nobody vouches for the head here, as with a repository that somebody else wrote. */
  @Test
  void a_hostile_head_is_refused_or_read_but_never_costs_more_than_the_object() throws IOException {
    StoredOverlay overlay = small();
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    int refused = 0;
    for (int round = 0; round < 20_000; round++) {
      byte[] hostile = overlay.object().clone();
      for (int i = 1 + random.nextInt(4); i > 0; i--) {
        hostile[random.nextInt(800)] = (byte) (random.nextBoolean() ? -1 : random.nextInt());
      }
      try {
        OverlayReader reader =
            OverlayReader.open(overlay.with(hostile), Optional.empty(), new MetadataCache());
        FrameCursor frames = new FrameCursor(reader, new DamageList());
        while (frames.next()) {
          assertThat(frames.hostEnd()).as("seed %d", seed).isLessThanOrEqualTo(hostile.length);
        }
      } catch (ImageException e) {
        refused++;
        assertThat(e).as("seed %d", seed).hasMessageStartingWith("small.qcow2: ");
      }
    }
    assertThat(refused).isBetween(1000, 19_999);
  }
}
