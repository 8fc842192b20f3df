package dev.cowbell.qcow2.refcount;

import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Tables of one size, kept in memory and written back late: refcount blocks, L2 tables. A bounded
 * number is held; the one used longest ago makes room, and is written first if it changed.
 *
 * <p>Order between caches is declared, not forced: {@link #dependOn} says that what this cache
 * holds may reach the disk only behind what the other one holds. Not safe for several threads.
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
  private @Nullable MetadataCache dependency;
  private boolean flushFirst;

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

  /** What is in this cache now, or comes later, must not reach the disk before the other's. */
  public void dependOn(MetadataCache other) throws IOException {
    if (other.dependency != null) {
      other.writeBack();
    }
    if (dependency != null && dependency != other) {
      satisfyDependencies();
    }
    dependency = other;
  }

  /** What is in this cache must not reach the disk before what was written to the file so far. */
  public void dependOnFlush() {
    flushFirst = true;
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
      satisfyDependencies();
      file.write(offset, table.bytes.duplicate().clear());
      table.dirty = false;
    }
  }

  private void satisfyDependencies() throws IOException {
    if (dependency != null) {
      dependency.writeBack();
      dependency = null;
      flushFirst = true;
    }
    if (flushFirst) {
      file.flush();
      flushFirst = false;
    }
  }
}
