package dev.cowbell.qcow2.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.io.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TrialFileTest {

  @Test
  void reads_as_the_written_file_would_and_leaves_it_alone() throws IOException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    byte[] original = new byte[50_000];
    random.nextBytes(original);
    MemoryHostFile file = new MemoryHostFile("below", original);
    byte[] model = Arrays.copyOf(original, 120_000);
    int size = original.length;
    try (TrialFile trial = new TrialFile(file, 1 << 20)) {
      for (int i = 0; i < 300; i++) {
        byte[] bytes = new byte[1 + random.nextInt(9000)];
        random.nextBytes(bytes);
        int at = random.nextInt(110_000);
        trial.write(at, ByteBuffer.wrap(bytes));
        System.arraycopy(bytes, 0, model, at, bytes.length);
        size = Math.max(size, at + bytes.length);

        assertThat(trial.size()).as("seed %d", seed).isEqualTo(size);
        int from = random.nextInt(130_000);
        ByteBuffer read = ByteBuffer.allocate(random.nextInt(20_000));
        int length = trial.read(from, read);
        int expected = Math.max(0, Math.min(size - from, read.capacity()));
        assertThat(length).as("seed %d", seed).isEqualTo(expected);
        assertThat(Arrays.copyOf(read.array(), length))
            .as("seed %d", seed)
            .isEqualTo(
                expected == 0 ? new byte[0] : Arrays.copyOfRange(model, from, from + expected));
      }
    }
    ByteBuffer below = ByteBuffer.allocate(original.length);
    file.read(0, below);
    assertThat(file.size()).isEqualTo(original.length);
    assertThat(below.array()).isEqualTo(original);
  }

  @Test
  void ends_when_more_is_written_than_memory_may_hold() throws IOException {
    try (TrialFile trial = new TrialFile(new MemoryHostFile("below"), 8192)) {
      trial.write(4096, ByteBuffer.allocate(8192));

      assertThatThrownBy(() -> trial.write(100, ByteBuffer.allocate(1)))
          .isInstanceOf(TrialFile.FullException.class);
    }
  }
}
