package dev.cowbell.qcow2.refcount;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class MetadataCacheTest {

  private static final int TABLE = 512;

  private final CrashingHostFile file = new CrashingHostFile(new byte[64 * TABLE]);
  private final MetadataCache cache = new MetadataCache(file, TABLE, 0);

  private static void mark(MetadataCache cache, int table) throws Exception {
    cache.get((long) table * TABLE).put(0, (byte) 1);
    cache.markDirty((long) table * TABLE);
  }

  private static boolean isMarked(byte[] image, int table) {
    return image[table * TABLE] == 1;
  }

  @Test
  void writes_nothing_before_it_is_told_to() throws Exception {
    mark(cache, 3);
    cache.get(0);
    assertThat(file.changes()).isZero();
    cache.writeBack();
    cache.writeBack();
    assertThat(file.changes()).isEqualTo(1);
    assertThat(isMarked(file.content(), 3)).isTrue();
  }

  @Test
  void keeps_every_change_however_small_it_is(Random random) throws Exception {
    byte[] model = new byte[64 * TABLE];
    for (int i = 0; i < 5_000; i++) {
      int at = random.nextInt(model.length);
      int offset = at / TABLE * TABLE;
      ByteBuffer table = cache.get(offset);
      assertThat(table.get(at - offset)).isEqualTo(model[at]);
      model[at] = (byte) random.nextInt();
      table.put(at - offset, model[at]);
      cache.markDirty(offset);
      if (random.nextInt(100) == 0) {
        cache.create(offset);
        Arrays.fill(model, offset, offset + TABLE, (byte) 0);
      }
    }
    cache.writeBack();
    assertThat(file.content()).isEqualTo(model);
  }

  @Test
  void writes_no_table_that_was_forgotten() throws Exception {
    mark(cache, 1);
    cache.forget(TABLE);
    cache.writeBack();
    assertThat(file.changes()).isZero();
    assertThatThrownBy(() -> cache.markDirty(TABLE)).isInstanceOf(IllegalStateException.class);
  }
}
