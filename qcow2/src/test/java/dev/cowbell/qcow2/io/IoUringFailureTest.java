package dev.cowbell.qcow2.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/** What becomes of files when the kernel allows io_uring no more, or never did. */
@Isolated("the ring is the whole process's")
class IoUringFailureTest {
  private static final int THREADS = 12;
  private static final int BLOCK = 4096;
  private static final int BLOCKS = 200;

  @TempDir private Path folder;

  @FunctionalInterface
  private interface Work {
    void run() throws Exception;
  }

  private static FutureTask<Void> start(Work work) {
    FutureTask<Void> task =
        new FutureTask<>(() -> {
          work.run();
          return null;
        });
    Thread.ofPlatform().daemon().start(task);
    return task;
  }

  private Path file(int length) throws IOException {
    return Files.write(Files.createTempFile(folder, "host", ".file"), new byte[length]);
  }

  @Test
  void where_it_is_forbidden_the_refusal_is_clear_and_auto_falls_back() throws Exception {
    start(
            () -> {
              ForbiddenCall.toThisThread(ForbiddenCall.IO_URING_SETUP);
              assertThat(HostIo.allowsIoUring()).isFalse();
              for (HostIo io : List.of(HostIo.IO_URING, HostIo.DIRECT_IO_URING)) {
                assertThatThrownBy(() -> io.open(file(BLOCK), ImageLock.Use.WRITE))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("io_uring can't be used here")
                    .hasMessageContaining("EPERM");
              }
              Path path = file(BLOCK);
              try (HostFile file = HostIo.AUTO.open(path, ImageLock.Use.WRITE)) {
                assertThat(file).isInstanceOf(ChannelHostFile.class);
                file.write(1, ByteBuffer.wrap(new byte[] {7}));
              }
              assertThat(Files.readAllBytes(path)).startsWith(0, 7, 0);
            })
        .get(1, TimeUnit.MINUTES);
  }

  @RepeatedTest(8)
  void requests_that_the_kernel_refuses_to_take_are_carried_out_all_the_same() throws Exception {
    Path path = file(0);
    if (!HostIo.allowsIoUring()) {
      assertThatThrownBy(() -> HostIo.IO_URING.open(path, ImageLock.Use.WRITE))
          .hasMessageContaining("io_uring can't be used here");
      return;
    }
    byte[] expected = new byte[THREADS * BLOCKS * BLOCK];
    CountDownLatch half = new CountDownLatch(THREADS);
    try (HostFile file = HostIo.IO_URING.open(path, ImageLock.Use.WRITE)) {
      List<FutureTask<Void>> running = new ArrayList<>();
      for (int thread = 0; thread < THREADS; thread++) {
        int own = thread;
        running.add(start(() -> writeBlocks(file, expected, own, half)));
      }
      for (FutureTask<Void> each : running) {
        each.get(1, TimeUnit.MINUTES);
      }
      assertThatThrownBy(() -> HostIo.IO_URING.open(file(BLOCK), ImageLock.Use.WRITE))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("io_uring can't be used any more")
          .hasMessageContaining("EPERM");
      try (HostFile other = HostIo.AUTO.open(file(BLOCK), ImageLock.Use.WRITE)) {
        assertThat(other).isInstanceOf(ChannelHostFile.class);
      }
    }
    assertThat(Arrays.mismatch(Files.readAllBytes(path), expected)).isEqualTo(-1);
    try (HostFile again = HostIo.IO_URING.open(path, ImageLock.Use.READ)) {
      ByteBuffer bytes = ByteBuffer.allocate(expected.length);
      again.read(0, bytes);
      assertThat(Arrays.mismatch(bytes.array(), expected)).isEqualTo(-1);
    }
  }

  /** Each thread owns every so manieth block; one of them is refused the ring in the middle. */
  private static void writeBlocks(HostFile file, byte[] expected, int own, CountDownLatch half)
      throws Exception {
    Random random = new Random(own);
    for (int i = 0; i < BLOCKS; i++) {
      if (i == BLOCKS / 2) {
        half.countDown();
        half.await();
        if (own == 0) {
          ForbiddenCall.toThisThread(ForbiddenCall.IO_URING_ENTER);
        }
      }
      byte[] bytes = new byte[BLOCK];
      random.nextBytes(bytes);
      int at = (i * THREADS + own) * BLOCK;
      file.write(at, ByteBuffer.wrap(bytes));
      byte[] read = new byte[BLOCK];
      file.read(at, ByteBuffer.wrap(read));
      assertThat(read).isEqualTo(bytes);
      System.arraycopy(bytes, 0, expected, at, BLOCK);
    }
  }
}
