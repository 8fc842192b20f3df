package dev.cowbell.qcow2.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.MapEntry;
import dev.cowbell.qcow2.RawDisk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostFileTest {
  @TempDir private Path folder;

  private interface Act {
    void on(HostFile file) throws IOException;
  }

  private static byte[] content(HostFile file) throws IOException {
    ByteBuffer all = ByteBuffer.allocate((int) file.size());
    assertThat(file.read(0, all)).isEqualTo(all.capacity());
    return all.array();
  }

  @Test
  void a_file_in_memory_behaves_as_one_on_disk() throws Exception {
    MemoryHostFile memory = new MemoryHostFile("memory");
    try (ChannelHostFile disk = ChannelHostFile.createNew(folder.resolve("file"))) {
      Random random = new Random(1);
      for (int i = 0; i < 300; i++) {
        int at = random.nextInt(300_000);
        byte[] bytes = new byte[random.nextInt(1, 100_000)];
        random.nextBytes(bytes);
        Act act =
            switch (random.nextInt(5)) {
              case 0 -> file -> file.resize(at);
              case 1 -> file -> file.punchHole(at, bytes.length);
              default -> file -> file.write(at, ByteBuffer.wrap(bytes));
            };
        act.on(memory);
        act.on(disk);
        assertThat(content(memory)).as("step %d", i).isEqualTo(content(disk));
        ByteBuffer a = ByteBuffer.allocate(70_000);
        ByteBuffer b = ByteBuffer.allocate(70_000);
        memory.readPadded(at, a);
        disk.readPadded(at, b);
        assertThat(a.hasRemaining()).isFalse();
        assertThat(a.flip()).isEqualTo(b.flip());
      }
      disk.flush();
    }
  }

  @Test
  void reading_behind_the_end_gives_nothing_or_zeroes() throws Exception {
    Path path = Files.write(folder.resolve("file"), new byte[] {1, 2, 3});
    try (ChannelHostFile file = ChannelHostFile.openReadOnly(path)) {
      for (long at : new long[] {3, 4096, 1L << 55, 1L << 61}) {
        ByteBuffer bytes = ByteBuffer.wrap(new byte[] {9, 9});
        assertThat(file.read(at, bytes)).isZero();
        file.readPadded(at, bytes);
        assertThat(bytes.array()).containsOnly(0);
      }
    }
  }

  @Test
  void two_openings_of_one_file_have_one_identity() throws Exception {
    Path path = Files.write(folder.resolve("file"), new byte[1]);
    Path link = Files.createSymbolicLink(folder.resolve("link"), path);
    Path other = Files.write(folder.resolve("other"), new byte[1]);
    try (ChannelHostFile a = ChannelHostFile.openReadOnly(path);
        ChannelHostFile b = ChannelHostFile.openReadOnly(link);
        ChannelHostFile c = ChannelHostFile.openReadOnly(other)) {
      assertThat(a.identity()).isEqualTo(b.identity()).isNotEqualTo(c.identity());
    }
  }

  @Test
  void only_files_and_block_devices_are_opened() {
    assertThatThrownBy(() -> ChannelHostFile.openReadOnly(folder)).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> ChannelHostFile.openReadOnly(Path.of("/dev/zero")))
        .isInstanceOf(IOException.class)
        .hasMessage("/dev/zero: neither a regular file nor a block device");
    assertThatThrownBy(() -> ChannelHostFile.openReadOnly(folder.resolve("missing")))
        .isInstanceOf(NoSuchFileException.class);
  }

  @Test
  void the_holes_of_a_raw_disk_are_zeroes_and_its_size_is_rounded_up() throws Exception {
    Path path = folder.resolve("disk.raw");
    try (ChannelHostFile file = ChannelHostFile.createNew(path)) {
      file.resize((4 << 20) + 100);
      file.write(1 << 20, ByteBuffer.wrap(new byte[1 << 20]));
    }
    try (RawDisk disk = RawDisk.adopt(ChannelHostFile.openReadOnly(path))) {
      assertThat(disk.size()).isEqualTo((4 << 20) + 512);
      List<MapEntry> entries = new ArrayList<>();
      disk.map(0, disk.size(), entries::add);
      assertThat(entries.getFirst().kind()).isEqualTo(MapEntry.Kind.ZERO);
      assertThat(entries.getFirst().length()).isEqualTo(1 << 20);
      assertThat(entries.get(1).kind()).isEqualTo(MapEntry.Kind.DATA);
      assertThat(entries.get(1).end()).isEqualTo(2 << 20);
      assertThat(entries.get(2).kind()).isEqualTo(MapEntry.Kind.ZERO);
      assertThat(entries.getLast().end()).isEqualTo(disk.size());
      ByteBuffer tail = ByteBuffer.wrap(new byte[] {7, 7});
      disk.read(disk.size() - 2, tail);
      assertThat(tail.array()).containsOnly(0);
      assertThatThrownBy(() -> disk.read(disk.size() - 1, ByteBuffer.allocate(2)))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void a_block_device_keeps_its_size_and_refuses_to_grow() throws Exception {
    ChannelHostFile.checkDevice("/dev/vdb", 4096, 4096);
    ChannelHostFile.checkDevice("/dev/vdb", 4096, 512);
    assertThatThrownBy(() -> ChannelHostFile.checkDevice("/dev/vdb", 4096, 4608))
        .isInstanceOf(IOException.class)
        .hasMessage("/dev/vdb: a block device can't grow; it has 4096 bytes, needed are 4608");
  }
}
