package dev.cowbell.qcow2.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.ImageLockedException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HostIoTest {
  @TempDir private Path folder;

  @Test
  void auto_reads_whether_or_not_there_is_io_uring() throws Exception {
    Path path = Files.write(folder.resolve("file"), new byte[] {1, 2, 3});
    try (HostFile file = HostIo.AUTO.open(path, ImageLock.Use.READ)) {
      ByteBuffer bytes = ByteBuffer.allocate(9);
      assertThat(file.read(0, bytes)).isEqualTo(3);
      assertThat(file).isInstanceOfAny(CachedHostFile.class, ChannelHostFile.class);
      assertThat(file instanceof CachedHostFile).isEqualTo(HostIo.allowsIoUring());
    }
  }

  @ParameterizedTest
  @EnumSource(HostIo.class)
  void a_file_open_for_reading_can_not_be_written(HostIo io) throws Exception {
    Path path = Files.write(folder.resolve("file"), new byte[10_000]);
    if (io == HostIo.IO_URING || io == HostIo.DIRECT_IO_URING) {
      if (!HostIo.allowsIoUring()) {
        assertThatThrownBy(() -> io.open(path, ImageLock.Use.READ))
            .isInstanceOf(IOException.class)
            .hasMessageContaining("io_uring")
            .hasMessageContaining("errno");
        return;
      }
    }
    try (HostFile file = io.open(path, ImageLock.Use.READ)) {
      assertThatThrownBy(() -> file.write(4096, ByteBuffer.allocate(4096)))
          .isInstanceOfAny(IOException.class, RuntimeException.class);
      assertThatThrownBy(() -> file.write(1, ByteBuffer.allocate(1)))
          .isInstanceOfAny(IOException.class, RuntimeException.class);
    }
    assertThat(Files.readAllBytes(path)).containsOnly(0).hasSize(10_000);
  }

  @ParameterizedTest
  @EnumSource(HostIo.class)
  void a_file_in_use_is_refused_and_given_up_again(HostIo io) throws Exception {
    Path path = Files.write(folder.resolve("file"), new byte[10_000]);
    try (HostFile _ = ChannelHostFile.open(path, ImageLock.Use.WRITE)) {
      assertThatThrownBy(() -> io.open(path, ImageLock.Use.READ))
          .isInstanceOf(ImageLockedException.class);
    }
    ChannelHostFile.open(path, ImageLock.Use.WRITE).close();
  }

  @Test
  void where_direct_io_is_refused_the_error_says_so_and_the_lock_is_given_back() {
    // /proc has regular files and no direct I/O.
    assertThatThrownBy(() -> HostIo.DIRECT.open(Path.of("/proc/self/status"), ImageLock.Use.READ))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("/proc/self/status")
        .hasMessageContaining("O_DIRECT");
  }

  @Test
  void a_ring_that_the_kernel_refuses_says_why() {
    assertThatThrownBy(() -> Ring.open(1 << 30))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("io_uring_setup")
        .hasMessageContaining("errno");
  }

  @Test
  void alignments_are_powers_of_two() {
    assertThatThrownBy(() -> new DirectAlignment(1, 513))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(new DirectAlignment(4, 512).allowsMemory(8)).isTrue();
    assertThat(new DirectAlignment(4, 512).allowsMemory(6)).isFalse();
  }
}
