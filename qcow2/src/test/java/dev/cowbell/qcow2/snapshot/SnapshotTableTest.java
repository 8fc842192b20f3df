package dev.cowbell.qcow2.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.SnapshotNotFoundException;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderBuilder;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class SnapshotTableTest {
  private static final long TABLE = 1 << 16;

  private static SnapshotEntry entry(String id, String name) {
    Bytes extra = Bytes.copyOf(new byte[16]);
    return new SnapshotEntry(0, 0, 0, 0, 0, 0, extra, Bytes.utf8(id), Bytes.utf8(name));
  }

  private static Header header(long count) {
    return new HeaderBuilder().snapshots(TABLE, count).build();
  }

  private static MemoryHostFile file(List<SnapshotEntry> entries) {
    MemoryHostFile file = new MemoryHostFile("image");
    long at = TABLE;
    for (SnapshotEntry entry : entries) {
      ByteBuffer encoded = ByteBuffer.allocate(entry.encodedLength());
      entry.encode(encoded);
      file.write(at, encoded.flip());
      at += entry.encodedLength();
    }
    return file;
  }

  @Test
  void a_table_longer_than_any_buffer_is_read_whole() throws Exception {
    List<SnapshotEntry> entries = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      entries.add(entry("" + i, "n".repeat(i * 37 % 9000)));
    }
    assertThat(SnapshotTable.read(file(entries), header(300)).entries()).isEqualTo(entries);
  }

  @Test
  void an_id_matches_before_a_name() throws Exception {
    SnapshotEntry first = entry("1", "2");
    SnapshotEntry second = entry("2", "1");
    SnapshotTable table = new SnapshotTable(List.of(first, second));
    assertThat(table.find("2")).isEqualTo(second);
    assertThat(table.find("snapshot.id=1")).isEqualTo(first);
    assertThat(table.find("snapshot.name=1")).isEqualTo(second);
    assertThatThrownBy(() -> table.find("snapshot.id=no"))
        .isInstanceOf(SnapshotNotFoundException.class)
        .hasMessageContaining("the image has 1 (2), 2 (1)");
  }

  @Test
  void rejects_a_table_of_more_than_64_mib() {
    SnapshotEntry large = entry("x".repeat(0xffff), "y".repeat(0xffff));
    MemoryHostFile file = file(Collections.nCopies(520, large));
    assertThatThrownBy(() -> SnapshotTable.read(file, header(520)))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("longer than 67108864 bytes");
  }

  @Test
  void a_table_behind_the_end_of_the_file_is_made_of_empty_entries() throws Exception {
    SnapshotTable table = SnapshotTable.read(new MemoryHostFile("image"), header(65536));
    assertThat(table.entries()).hasSize(65536);
    assertThat(table.entries().getLast().id()).isEmpty();
  }
}
