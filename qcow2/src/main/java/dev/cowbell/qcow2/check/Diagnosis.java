package dev.cowbell.qcow2.check;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * What a repair has to know of a check's findings. Bounded: of findings beyond {@value #MOST} of a
 * kind the next round of the repair hears again.
 */
final class Diagnosis implements CheckListener {
  static final int MOST = 1 << 18;

  private final CheckListener listener;
  private final List<Finding.WrongRefcount> wrongRefcounts = new ArrayList<>();
  private final List<Finding> entryFaults = new ArrayList<>();
  private final List<Finding.WrongCopiedFlag> wrongFlags = new ArrayList<>();

  /** Host bytes behind the file's end that something refers to: start to end, disjoint. */
  private final TreeMap<Long, Long> outside = new TreeMap<>();

  private long flags;
  private boolean brokenRefcounts;
  private boolean noBlock;
  private boolean unusedRefcounts;
  private boolean uncounted;

  /**
   * @param listener hears of the findings too
   */
  Diagnosis(CheckListener listener) {
    this.listener = listener;
  }

  @Override
  public void found(Finding finding) throws IOException {
    listener.found(finding);
    switch (finding) {
      case Finding.WrongRefcount wrong -> {
        noBlock |= wrong.block() == 0;
        unusedRefcounts |= wrong.refcount() == 0;
        keep(wrongRefcounts, wrong);
      }
      case Finding.WrongCopiedFlag flag -> {
        flags++;
        keep(wrongFlags, flag);
      }
      case Finding.ReservedBits _,
          Finding.CopiedFlagOfCompressed _,
          Finding.UnalignedPreallocation _ ->
          keep(entryFaults, finding);
      case Finding.BitmapOfCompressed _ -> {
        uncounted = true;
        keep(entryFaults, finding);
      }
      case Finding.BrokenRefcounts _, Finding.UnreadableRefcounts _ -> brokenRefcounts = true;
      case Finding.OutsideFile gone -> keepOutside(gone);
      default -> {}
    }
  }

  @Override
  public void between() throws IOException {
    listener.between();
  }

  private static <F> void keep(List<F> findings, F finding) {
    if (findings.size() < MOST) {
      findings.add(finding);
    }
  }

  private void keepOutside(Finding.OutsideFile gone) {
    long start = gone.offset();
    long end = start + gone.length();
    if (start < 0 || end < start) {
      return;
    }
    Map.Entry<Long, Long> before = outside.floorEntry(start);
    if (before != null && before.getValue() >= start) {
      start = before.getKey();
      end = Math.max(end, before.getValue());
    }
    while (true) {
      Map.Entry<Long, Long> next = outside.ceilingEntry(start);
      if (next == null || next.getKey() > end) {
        break;
      }
      end = Math.max(end, next.getValue());
      outside.remove(next.getKey());
    }
    outside.put(start, end);
    if (outside.size() > MOST) {
      // what was between the last two is no place for new clusters either
      Map.Entry<Long, Long> last = outside.pollLastEntry();
      outside.put(outside.lastKey(), last.getValue());
    }
  }

  List<Finding.WrongRefcount> wrongRefcounts() {
    return wrongRefcounts;
  }

  List<Finding> entryFaults() {
    return entryFaults;
  }

  List<Finding.WrongCopiedFlag> wrongFlags() {
    return wrongFlags;
  }

  NavigableMap<Long, Long> outside() {
    return outside;
  }

  /** How many COPIED flags are wrong. */
  long flags() {
    return flags;
  }

  /** Whether refcounts can't be put right where they stand. */
  boolean needsRebuild() {
    return brokenRefcounts || noBlock;
  }

  /** Whether QEMU would rebuild the refcount structure, and not do less. */
  boolean needsMoreThanLowering() {
    return brokenRefcounts || unusedRefcounts;
  }

  /** Whether clusters are in use that nothing counts. */
  boolean hasUncounted() {
    return uncounted;
  }

  /** The clusters of tables with faulty entries, each with how many references the table has. */
  Map<Long, Long> faultyTables(int clusterBits) {
    Map<Long, Long> tables = new HashMap<>();
    for (Finding finding : entryFaults) {
      add(tables, entryOf(finding), clusterBits);
    }
    for (Finding.WrongCopiedFlag flag : wrongFlags) {
      add(tables, flag.entry(), clusterBits);
    }
    return tables;
  }

  private static void add(Map<Long, Long> tables, Finding.TableEntry entry, int clusterBits) {
    tables.merge(
        entry.at() >>> clusterBits, entry.tableReferences(), (a, b) -> a.equals(b) ? a : -1);
  }

  static Finding.TableEntry entryOf(Finding finding) {
    return switch (finding) {
      case Finding.ReservedBits bits -> bits.entry();
      case Finding.CopiedFlagOfCompressed flag -> flag.entry();
      case Finding.BitmapOfCompressed bitmap -> bitmap.entry();
      case Finding.UnalignedPreallocation cluster -> cluster.entry();
      case Finding.WrongCopiedFlag flag -> flag.entry();
      default -> throw new IllegalArgumentException(finding.description());
    };
  }
}
