package dev.cowbell.qcow2.refcount;

import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Tables of one size, kept in memory and written back late: refcount blocks, L2 tables. A bounded
 * number is held; the one used longest ago makes room, and is written first if it changed. Not safe
 * for several threads.
 */
public final class MetadataCache {

  /** What a cache may hold in memory by default. */
  public static final int DEFAULT_BYTES = 4 << 20;

  private static final int MIN_TABLES = 4;
  private static final int MAX_TABLES = 1024;

  private final HostFile file;
  private final int tableSize;
  private final int capacity;
  private final Map<Long, Table> tables = new LinkedHashMap<>(16, 0.75f, true);

  private static final class Table {
    final ByteBuffer bytes;
    boolean dirty;

    Table(ByteBuffer bytes) {
      this.bytes = bytes;
    }
  }

  /**
   * An empty cache.
   *
   * @param tableSize the bytes of each table
   * @param maxBytes how much to hold in memory; a few tables are always held
   */
  public MetadataCache(HostFile file, int tableSize, int maxBytes) {
    this.file = file;
    this.tableSize = tableSize;
    this.capacity = Math.clamp(maxBytes / tableSize, MIN_TABLES, MAX_TABLES);
  }

  /**
   * The table at a host offset, read if need be; what lies behind the file's end is zero. Valid
   * until the next call; changes go in between {@link #markDirty} and that.
   */
  public ByteBuffer get(long offset) throws IOException {
    Table table = tables.get(offset);
    if (table == null) {
      table = new Table(ByteBuffer.allocate(tableSize));
      file.read(offset, table.bytes);
      table.bytes.clear();
      put(offset, table);
    }
    return table.bytes;
  }

  /** A new table of zeroes at a host offset, to be written whatever the file holds there. */
  public ByteBuffer create(long offset) throws IOException {
    Table table = new Table(ByteBuffer.allocate(tableSize));
    table.dirty = true;
    put(offset, table);
    return table.bytes;
  }

  /** Says that the table that {@link #get} returned last for this offset is being changed. */
  public void markDirty(long offset) {
    Table table = tables.get(offset);
    if (table == null) {
      throw new IllegalStateException("the table at " + offset + " is not in the cache");
    }
    table.dirty = true;
  }

  /** Drops a table, written or not: its cluster was freed. */
  public void forget(long offset) {
    tables.remove(offset);
  }

  /** Whether a table was changed and not written yet. */
  public boolean isChanged() {
    for (Table table : tables.values()) {
      if (table.dirty) {
        return true;
      }
    }
    return false;
  }

  /** Writes every changed table to the file, in the order of their offsets. Does not flush. */
  public void writeBack() throws IOException {
    List<Long> dirty = new ArrayList<>();
    tables.forEach((offset, table) -> {
      if (table.dirty) {
        dirty.add(offset);
      }
    });
    dirty.sort(null);
    for (long offset : dirty) {
      Table table = tables.get(offset);
      if (table != null) {
        write(offset, table);
      }
    }
  }

  private void put(long offset, Table table) throws IOException {
    if (tables.size() >= capacity && !tables.containsKey(offset)) {
      Map.Entry<Long, Table> eldest = tables.entrySet().iterator().next();
      write(eldest.getKey(), eldest.getValue());
      tables.remove(eldest.getKey());
    }
    tables.put(offset, table);
  }

  private void write(long offset, Table table) throws IOException {
    if (table.dirty) {
      file.write(offset, table.bytes.duplicate().clear());
      table.dirty = false;
    }
  }
}
