package dev.cowbell.qcow2.io;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.qcow2.ImageLockedException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What every kind of host file does. */
abstract class HostFileContract {
  private static final int MAX = 700_000;

  @TempDir Path folder;

  private final long seed = Long.getLong("cowbell.seed", System.nanoTime());
  private final SplittableRandom random = new SplittableRandom(seed);
  private final List<HostFile> opened = new ArrayList<>();

  /** Opens a file that is there and empty, for reading and writing. */
  abstract HostFile open(Path path) throws IOException;

  /** Whether the file is on the host, so that others see what is done to it. */
  abstract boolean isOnHost();

  final HostFile file() throws IOException {
    HostFile file = open(Files.createTempFile(folder, "host", ".file"));
    opened.add(file);
    return file;
  }

  @AfterEach
  void close() throws IOException {
    for (HostFile file : opened) {
      file.close();
    }
  }

  private byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  /** A buffer of any kind around bytes: in the heap or not, aligned or not. */
  private ByteBuffer buffer(byte[] bytes) {
    ByteBuffer buffer =
        switch (random.nextInt(3)) {
          case 0 -> ByteBuffer.allocate(bytes.length + 12288);
          case 1 -> ByteBuffer.allocateDirect(bytes.length + 12288).alignedSlice(4096);
          default -> ByteBuffer.allocateDirect(bytes.length + 12288);
        };
    int start = random.nextBoolean() ? 0 : random.nextInt(4096);
    buffer.limit(start + bytes.length).position(start);
    buffer.duplicate().put(bytes);
    return buffer;
  }

  private byte[] read(HostFile file, long at, int length) throws IOException {
    ByteBuffer into = buffer(new byte[length]);
    int start = into.position();
    int got = file.read(at, into);
    assertThat(into.position()).isEqualTo(start + got);
    byte[] bytes = new byte[got];
    into.flip().position(start).get(bytes);
    return bytes;
  }

  /** Mostly near blocks' borders. */
  private int offset() {
    return random.nextBoolean()
        ? random.nextInt(MAX)
        : random.nextInt(MAX / 512) * 512 + (random.nextBoolean() ? 0 : random.nextInt(3));
  }

  private int length() {
    return switch (random.nextInt(4)) {
      case 0 -> random.nextInt(1, 700);
      case 1 -> random.nextInt(1, 20) * 512;
      case 2 -> random.nextInt(1, 20) * 4096;
      default -> random.nextInt(1, 400_000);
    };
  }

  @Test
  void behaves_as_an_array_of_bytes_does() throws Exception {
    HostFile file = file();
    byte[] model = new byte[4 * MAX];
    int size = 0;
    for (int i = 0; i < 600; i++) {
      int at = offset();
      int length = length();
      switch (random.nextInt(6)) {
        case 0 -> {
          Arrays.fill(model, Math.min(at, size), size, (byte) 0);
          file.resize(at);
          size = at;
        }
        case 1 -> {
          int end = Math.min(at + length, size);
          if (at < end) {
            Arrays.fill(model, at, end, (byte) 0);
            file.punchHole(at, end - at);
          }
        }
        case 2 -> file.flush();
        default -> {
          byte[] bytes = bytes(length);
          System.arraycopy(bytes, 0, model, at, length);
          ByteBuffer source = buffer(bytes);
          file.write(at, source);
          assertThat(source.hasRemaining()).isFalse();
          size = Math.max(size, at + length);
        }
      }
      Assertions.assertThat(file.size()).as("step %d, seed %d", i, seed).isEqualTo(size);
      int from = offset();
      int wanted = length();
      assertThat(read(file, from, wanted))
          .as("step %d, seed %d, %d bytes at %d", i, seed, wanted, from)
          .isEqualTo(
              Arrays.copyOfRange(
                  model,
                  Math.min(from, size),
                  Math.clamp(from + wanted, Math.min(from, size), size)));
    }
    assertThat(read(file, 0, size + 1)).as("seed %d", seed).isEqualTo(Arrays.copyOf(model, size));
  }

  @Test
  void writes_of_many_threads_side_by_side_do_not_touch_each_other() throws Exception {
    HostFile file = file();
    int threads = 12;
    int total = 1 << 20;
    byte[] model = bytes(total);
    file.write(0, ByteBuffer.wrap(new byte[total / 2]));
    // Pieces of odd lengths share blocks; each thread has every twelfth of them, over and over.
    List<int[]> pieces = new ArrayList<>();
    for (int at = 0; at < total; ) {
      int length = Math.min(total - at, random.nextInt(1, random.nextBoolean() ? 300 : 9000));
      pieces.add(new int[] {at, length});
      at += length;
    }
    List<Callable<Void>> writers = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      int own = t;
      writers.add(() -> {
        for (int i = own; i < pieces.size(); i += threads) {
          int at = pieces.get(i)[0];
          int length = pieces.get(i)[1];
          file.write(at, ByteBuffer.allocateDirect(length));
          file.write(at, ByteBuffer.wrap(model, at, length));
          ByteBuffer back = ByteBuffer.allocate(length);
          file.read(at, back);
          if (back.flip().mismatch(ByteBuffer.wrap(model, at, length)) >= 0) {
            throw new AssertionError("own bytes at " + at + " changed, seed " + seed);
          }
        }
        return null;
      });
    }
    runTogether(Executors.newFixedThreadPool(threads), writers);
    assertThat(file.size()).isEqualTo(total);
    assertThat(read(file, 0, total)).as("seed %d", seed).isEqualTo(model);
  }

  @Test
  void many_virtual_threads_read_what_is_there() throws Exception {
    HostFile file = file();
    byte[] model = bytes(1 << 20);
    file.write(0, ByteBuffer.wrap(model));
    List<Callable<Void>> readers = new ArrayList<>();
    for (int t = 0; t < 600; t++) {
      SplittableRandom own = random.split();
      readers.add(() -> {
        for (int i = 0; i < 20; i++) {
          int at = own.nextInt(model.length);
          ByteBuffer dst = ByteBuffer.allocateDirect(own.nextInt(1, 20_000));
          int got = file.read(at, dst);
          if (got != Math.min(dst.capacity(), model.length - at)
              || dst.flip().mismatch(ByteBuffer.wrap(model, at, got)) >= 0) {
            throw new AssertionError("other bytes at " + at + ", seed " + seed);
          }
        }
        return null;
      });
    }
    runTogether(Executors.newVirtualThreadPerTaskExecutor(), readers);
  }

  @Test
  void an_interrupted_thread_reads_and_stays_interrupted() throws Exception {
    if (this instanceof ChannelHostFileTest) {
      return; // a channel is closed by that, as its Javadoc says
    }
    HostFile file = file();
    file.write(0, ByteBuffer.wrap(new byte[] {1, 2, 3}));
    Thread.currentThread().interrupt();
    assertThat(read(file, 0, 5)).containsExactly(1, 2, 3);
    assertThat(Thread.interrupted()).isTrue();
  }

  private static void runTogether(ExecutorService pool, List<Callable<Void>> tasks)
      throws Exception {
    try (pool) {
      for (Future<Void> done : pool.invokeAll(tasks)) {
        try {
          done.get();
        } catch (ExecutionException e) {
          throw new AssertionError(e.getCause());
        }
      }
    }
  }

  @Test
  void behind_the_end_there_is_nothing_or_zeroes() throws Exception {
    HostFile file = file();
    file.write(0, ByteBuffer.wrap(new byte[] {1, 2, 3}));
    for (long at : new long[] {3, 4, 512, 4096, 1L << 55, 1L << 61}) {
      assertThat(read(file, at, 4096)).as("at %d", at).isEmpty();
      ByteBuffer padded = ByteBuffer.wrap(new byte[] {9, 9});
      file.readPadded(at, padded);
      assertThat(padded.array()).containsOnly(0);
    }
    assertThat(read(file, 1, 100)).containsExactly(2, 3);
    assertThat(read(file, 0, 0)).isEmpty();
  }

  @Test
  void what_is_new_after_growing_reads_as_zeroes_also_where_it_once_was_something()
      throws Exception {
    HostFile file = file();
    byte[] ones = new byte[10_000];
    Arrays.fill(ones, (byte) 1);
    file.write(0, ByteBuffer.wrap(ones));
    file.resize(5_001);
    file.resize(10_000);
    file.write(20_000, ByteBuffer.wrap(ones, 0, 1));
    byte[] expected = new byte[20_001];
    Arrays.fill(expected, 0, 5_001, (byte) 1);
    expected[20_000] = 1;
    assertThat(read(file, 0, 30_000)).isEqualTo(expected);
  }

  @Test
  void holes_are_told_and_take_no_space() throws Exception {
    HostFile file = file();
    file.resize(8 << 20);
    assertThat(file.size()).isEqualTo(8 << 20);
    file.write(2 << 20, ByteBuffer.wrap(bytes(1 << 20)));
    file.write(4 << 20, ByteBuffer.wrap(bytes(1 << 20)));
    file.punchHole(4 << 20, 1 << 20);
    file.flush();
    assertThat(read(file, 4 << 20, 1 << 20)).containsOnly(0);
    if (!isOnHost()) {
      return;
    }
    assertThat(file.nextData(0)).isEqualTo(2 << 20);
    assertThat(file.nextHole(2 << 20)).isEqualTo(3 << 20);
    assertThat(file.nextData(3 << 20)).isEqualTo(8 << 20);
    Path path = Path.of(file.name());
    long blocks = (long) Files.getAttribute(path, "unix:size");
    assertThat(blocks).isEqualTo(8 << 20);
  }

  @Test
  void others_see_the_same_bytes_and_locks_are_held_until_it_is_closed() throws Exception {
    if (!isOnHost()) {
      return;
    }
    HostFile file = file();
    Path path = Path.of(file.name());
    byte[] model = bytes(9_999);
    file.write(0, buffer(model));
    assertThat(Files.readAllBytes(path)).isEqualTo(model);
    Files.write(path, new byte[] {7, 7, 7});
    assertThat(read(file, 0, 10)).containsExactly(7, 7, 7);
    Assertions.assertThatThrownBy(() -> ChannelHostFile.open(path, ImageLock.Use.READ))
        .isInstanceOf(ImageLockedException.class);
    try (HostFile again = ChannelHostFile.openReadOnly(path)) {
      assertThat(again.identity()).isEqualTo(file.identity());
    }
    file.close();
    opened.remove(file);
    ChannelHostFile.open(path, ImageLock.Use.WRITE).close();
  }
}
