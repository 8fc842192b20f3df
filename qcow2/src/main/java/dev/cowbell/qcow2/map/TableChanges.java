package dev.cowbell.qcow2.map;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Rules;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The active L1 table and those of its L2 tables that were changed and not written yet. Nothing
 * here orders writes; see the commit that calls {@link #writeL2} and {@link #writeL1}.
 *
 * <p>Look-ups may run in several threads while none changes anything.
 */
public final class TableChanges {
  private static final int SECTOR = 512;
  private static final int ENTRIES_PER_SECTOR = SECTOR / Geometry.L1_ENTRY_SIZE;
  private static final int MAX_WRITE = 1 << 20;

  private final HostFile file;
  private final L2Rules rules;
  private final Geometry geometry;
  private final L2Cache cache;
  private final long l1Offset;
  private final L1Table l1;
  private final Map<Long, L2Table> tables = new HashMap<>();
  private final BitSet l1Sectors = new BitSet();

  /** What a commit is writing; what changes meanwhile belongs to the next one. */
  private TreeMap<Long, L2Table> sealedTables = new TreeMap<>();

  private BitSet sealedSectors = new BitSet();

  private TableChanges(HostFile file, Header header, L1Table l1, L2Cache cache) {
    this.file = file;
    this.rules = header.l2Rules();
    this.geometry = header.geometry();
    this.cache = cache;
    this.l1Offset = header.l1TableOffset();
    this.l1 = l1;
  }

  /** Reads the active L1 table of a header whose tables have been checked. */
  public static TableChanges read(HostFile file, Header header, L2Cache cache) throws IOException {
    L1Table l1 = L1Table.read(file, header.l1TableOffset(), header.l1Size());
    return new TableChanges(file, header, l1, cache);
  }

  HostFile file() {
    return file;
  }

  L2Rules rules() {
    return rules;
  }

  L1Table l1() {
    return l1;
  }

  L2Cache cache() {
    return cache;
  }

  /** The changed table at a host offset; null if it was not changed. */
  @Nullable L2Table get(long offset) {
    return tables.get(offset);
  }

  /** Says that a table is being changed, or is new. */
  public void changed(long offset, L2Table table) {
    tables.put(offset, table);
    sealedTables.remove(offset);
  }

  /** Drops a table that nothing refers to any more. */
  public void dropped(long offset) {
    tables.remove(offset);
    sealedTables.remove(offset);
  }

  /** Changes an L1 entry. */
  public void setL1(long index, long word) {
    l1.set((int) index, word);
    l1Sectors.set((int) index / ENTRIES_PER_SECTOR);
  }

  /** The bytes of changed tables that are held. */
  public long bytes() {
    return (long) tables.size() << geometry.clusterBits();
  }

  /** Whether all changes have been written. */
  public boolean isEmpty() {
    return tables.isEmpty() && l1Sectors.isEmpty() && sealedSectors.isEmpty();
  }

  /** Begins a commit of what was changed so far. */
  public void seal() {
    sealedTables = new TreeMap<>(tables);
    sealedSectors.or(l1Sectors);
    l1Sectors.clear();
  }

  /** Asked before a table is written to a place. */
  @FunctionalInterface
  public interface PlaceCheck {
    void check(long offset, long bytes) throws IOException;
  }

  /** Writes the sealed tables, those that lie together in one piece. Changes nothing in memory. */
  public void writeL2(PlaceCheck check) throws IOException {
    int size = geometry.clusterSize();
    ByteBuffer run = ByteBuffer.allocate(Math.max(size, Math.min(MAX_WRITE, sealedBytes())));
    long start = 0;
    for (Map.Entry<Long, L2Table> entry : sealedTables.entrySet()) {
      if (run.position() > 0
          && (start + run.position() != entry.getKey() || run.remaining() < size)) {
        write(check, start, run);
      }
      if (run.position() == 0) {
        start = entry.getKey();
      }
      entry.getValue().put(run);
    }
    if (run.position() > 0) {
      write(check, start, run);
    }
  }

  private int sealedBytes() {
    return (int) Math.min(MAX_WRITE, (long) sealedTables.size() << geometry.clusterBits());
  }

  private void write(PlaceCheck check, long offset, ByteBuffer run) throws IOException {
    check.check(offset, run.flip().remaining());
    file.write(offset, run);
    run.clear();
  }

  /** Whether the sealed changes include L1 entries. */
  public boolean changesL1() {
    return !sealedSectors.isEmpty();
  }

  /** Writes the sealed L1 entries, sector by sector. */
  public void writeL1(PlaceCheck check) throws IOException {
    for (int sector = sealedSectors.nextSetBit(0);
        sector >= 0;
        sector = sealedSectors.nextSetBit(sector + 1)) {
      int first = sector * ENTRIES_PER_SECTOR;
      int count = Math.min(ENTRIES_PER_SECTOR, l1.length() - first);
      ByteBuffer words = ByteBuffer.allocate(count * Geometry.L1_ENTRY_SIZE);
      for (int i = 0; i < count; i++) {
        words.putLong(l1.word(first + i));
      }
      long at = l1Offset + (long) first * Geometry.L1_ENTRY_SIZE;
      check.check(at, words.flip().remaining());
      file.write(at, words);
    }
  }

  /** Ends a commit: what was written and not changed since is no longer a change. */
  public void committed() {
    sealedTables.forEach((offset, table) -> {
      tables.remove(offset);
      cache.put(file, offset, table);
    });
    sealedTables = new TreeMap<>();
    sealedSectors = new BitSet();
  }

  /** Ends a commit that failed: everything is still to be written. */
  public void failed() {
    sealedTables = new TreeMap<>();
  }

  /** The L2 table of an L1 entry that may be changed in place. */
  public static boolean isOwned(long l1Word) {
    return L1Entry.offset(l1Word) != 0 && new L1Entry(l1Word).copied();
  }
}
