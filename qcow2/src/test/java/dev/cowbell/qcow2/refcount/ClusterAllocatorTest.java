package dev.cowbell.qcow2.refcount;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.refcount.ClusterAllocator.Allocation;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.RefcountAudit;
import dev.cowbell.qcow2.testing.SmallImage;
import java.io.IOException;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class ClusterAllocatorTest {

  private static ClusterAllocator open(CrashingHostFile file) throws IOException {
    return ClusterAllocator.open(file, HeadWriter.open(file));
  }

  @Test
  void gives_no_cluster_out_twice_in_any_geometry(Random random) throws Exception {
    for (int round = 0; round < 30; round++) {
      int clusterBits = 9 + random.nextInt(3);
      int order = random.nextInt(7);
      CrashingHostFile file = new CrashingHostFile(new SmallImage(clusterBits, order, 1).bytes());
      BitSet allocated = new BitSet();
      for (int session = 0; session < 4; session++) {
        ClusterAllocator allocator = open(file);
        for (int commit = 0; commit < 4; commit++) {
          BitSet after = (BitSet) allocated.clone();
          for (int i = 0; i < 8; i++) {
            allocate(random, allocator, allocated, after, clusterBits);
          }
          BitSet freed = new BitSet();
          for (int i = 0; i < 4 && !allocated.isEmpty(); i++) {
            int cluster = allocated.nextSetBit(random.nextInt(allocated.length()));
            if (!freed.get(cluster)) {
              freed.set(cluster);
              allocator.freeLater((long) cluster << clusterBits, 1);
            }
          }
          if (random.nextInt(4) == 0) {
            allocator.rollBack();
          } else {
            allocator.writeBack();
            file.flush();
            allocator.freeNow();
            after.andNot(freed);
            allocated = after;
          }
        }
        assertThat(RefcountAudit.of(file.content()))
            .isEqualTo(new RefcountAudit(allocated.cardinality(), 0));
      }
    }
  }

  private static void allocate(
      Random random, ClusterAllocator allocator, BitSet before, BitSet after, int clusterBits)
      throws IOException {
    int wanted = 1 + random.nextInt(random.nextInt(10) == 0 ? 600 : 20);
    long offset;
    long count;
    if (random.nextBoolean()) {
      offset = allocator.allocate(wanted);
      count = wanted;
    } else {
      Allocation some = allocator.allocateUpTo(wanted);
      offset = some.offset();
      count = some.clusters();
      assertThat(count).isBetween(1L, (long) wanted);
    }
    int first = (int) (offset >>> clusterBits);
    int end = first + (int) count;
    assertThat(before.get(first, end).isEmpty()).isTrue();
    assertThat(after.get(first, end).isEmpty()).isTrue();
    after.set(first, end);
  }

  @Test
  void grows_the_refcount_table_and_leaves_only_leaks_after_a_crash(Random random)
      throws Exception {
    for (SmallImage image :
        List.of(new SmallImage(9, 5, 1), new SmallImage(9, 6, 1), new SmallImage(10, 6, 1))) {
      CrashingHostFile file = new CrashingHostFile(image.bytes());
      ClusterAllocator allocator = open(file);
      long total = 0;
      for (int i = 0; i < 14; i++) {
        int count = 1000 + random.nextInt(image.refcountOrder() == 6 ? 600 : 1500);
        allocator.allocate(count);
        total += count;
        allocator.writeBack();
        file.flush();
        allocator.freeNow();
      }
      assertThat(HeadWriter.open(file).head().header().refcountTableClusters()).isGreaterThan(1);
      assertThat(RefcountAudit.of(file.content())).isEqualTo(new RefcountAudit((int) total, 0));
      file.forEachCrash(
          random, 1, (left, _) -> assertThat(RefcountAudit.of(left).corruptions()).isZero());
    }
  }

  @Test
  void makes_blocks_durable_that_describe_others_before_those(Random random) throws Exception {
    // A block describes 128 clusters; the entries 60 to 70 lie in two sectors of the table, and
    // their blocks in the first 128 clusters of what the first of them describes.
    CrashingHostFile start = new CrashingHostFile(new SmallImage(10, 6, 1).bytes());
    ClusterAllocator allocator = open(start);
    allocator.allocate(60 * 128 - 5 - 59);
    allocator.writeBack();
    CrashingHostFile file = new CrashingHostFile(start.content());
    ClusterAllocator crossing = open(file);
    assertThat(crossing.allocate(10 * 128) >>> 10).isGreaterThan(60 * 128);
    crossing.writeBack();
    file.forEachCrash(
        random, 20, (left, _) -> assertThat(RefcountAudit.of(left).corruptions()).isZero());
  }

  @Test
  void takes_freed_clusters_first() throws Exception {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(16, 4, 1).bytes());
    ClusterAllocator allocator = open(file);
    long first = allocator.allocate(3);
    allocator.allocate(2);
    allocator.writeBack();
    allocator.freeLater(first, 3 << 16);
    allocator.freeNow();
    assertThat(allocator.allocate(4)).isEqualTo(first + (5 << 16));
    assertThat(allocator.allocate(1)).isEqualTo(first);
    assertThat(allocator.allocateUpTo(9)).isEqualTo(new Allocation(first + (1 << 16), 2));
  }

  @Test
  void leaves_metadata_alone_that_a_damaged_image_wants_freed() throws Exception {
    CrashingHostFile file = new CrashingHostFile(new SmallImage(9, 4, 1 << 20).bytes());
    ClusterAllocator allocator = open(file);
    for (int cluster = 0; cluster < 5; cluster++) {
      allocator.freeLater(cluster << 9, 512);
    }
    allocator.freeNow();
    assertThat(RefcountAudit.of(file.content())).isEqualTo(new RefcountAudit(0, 0));
  }

  @Test
  void refuses_a_refcount_block_in_the_place_of_other_metadata() throws Exception {
    byte[] image = new SmallImage(9, 4, 1 << 20).bytes();
    // The first entry of the refcount table now points to the L1 table.
    image[512 + 6] = 6;
    assertThatThrownBy(() -> open(new CrashingHostFile(image)).allocate(1))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("other metadata");
  }
}
