package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.L2Entry;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * The overlays of a restore point, which say together what its disk holds: for every guest byte the
 * newest overlay that mentions it decides. Overlays may differ in cluster size and in disk size; as
 * with QEMU, what lies behind a parent's end reads as zeroes, whatever older overlays hold there.
 */
public final class OverlayChain {

  /** The greatest number of overlays in a chain. */
  public static final int MAX_LENGTH = 10_000;

  /** The most of the disk that {@link #resolve} takes at once. */
  private static final long MAX_WINDOW = 512L << 20;

  /** The most L2 entries that a window holds, all overlays together: 4 MiB. */
  private static final long MAX_ENTRIES = 512 << 10;

  private final List<OverlayTables> overlays;

  /** For each overlay the end of what can be seen of it: the smallest size from the newest on. */
  private final long[] visibleEnd;

  private final int unitBits;
  private final int largestClusterBits;

  /**
   * @param overlays from the newest, whose disk is shown, to the full one
   */
  public OverlayChain(List<? extends OverlayTables> overlays) {
    if (overlays.isEmpty() || overlays.size() > MAX_LENGTH) {
      throw new IllegalArgumentException(
          "a chain has 1 to " + MAX_LENGTH + " overlays, not " + overlays.size());
    }
    this.overlays = List.copyOf(overlays);
    this.visibleEnd = new long[overlays.size()];
    int smallest = Integer.MAX_VALUE;
    int largest = 0;
    long end = Long.MAX_VALUE;
    for (int i = 0; i < visibleEnd.length; i++) {
      OverlayTables overlay = this.overlays.get(i);
      end = Math.min(end, overlay.size());
      visibleEnd[i] = end;
      smallest = Math.min(smallest, overlay.geometry().clusterBits());
      largest = Math.max(largest, overlay.geometry().clusterBits());
    }
    this.unitBits = smallest;
    this.largestClusterBits = largest;
  }

  /** The virtual size of the newest overlay's disk in bytes. */
  public long size() {
    return visibleEnd[0];
  }

  /** From the newest to the full one. */
  public List<OverlayTables> overlays() {
    return overlays;
  }

  /** How much of the disk {@link #resolve} takes at once: less, the longer the chain is. */
  long maxWindow() {
    long units = Math.max(1, MAX_ENTRIES / overlays.size());
    long window = Math.min(MAX_WINDOW, units << unitBits);
    return Math.max(window & -(long) largestClusterSize(), largestClusterSize());
  }

  long visibleEnd(int overlay) {
    return visibleEnd[overlay];
  }

  /** Every overlay's clusters begin and end at multiples of this. */
  int largestClusterSize() {
    return 1 << largestClusterBits;
  }

  /**
   * The first guest offset from {@code at} on that may be mentioned by an overlay; the end of the
   * disk if there is none. What is skipped was never written.
   */
  long nextMentioned(long at) {
    long next = size();
    for (int i = 0; i < visibleEnd.length && next > at; i++) {
      OverlayTables overlay = overlays.get(i);
      if (at >= visibleEnd[i]) {
        // behind a parent's end the chain says zero, which is worth no visit
        break;
      }
      long table = overlay.nextTable(overlay.geometry().l1Index(at));
      if (table >= 0) {
        next = Math.min(next, Math.max(at, table * overlay.geometry().l2Coverage()));
      }
    }
    return next & -(long) largestClusterSize();
  }

  /**
   * Finds the overlay for each part of a range.
   *
   * @param at a multiple of the largest cluster size
   * @param length at most {@link #maxWindow}; the window ends at the disk's end at the latest
   */
  ChainWindow resolve(long at, long length) throws IOException {
    Objects.checkFromIndexSize(0, length, maxWindow());
    long end = Math.min(size(), at + length);
    int units = (int) unitsIn(end - at);
    short[] owner = new short[units];
    long[][] entries = new long[overlays.size()][];
    int open = units;
    long before = end;
    for (int i = 0; i < visibleEnd.length && open > 0; i++) {
      long visible = Math.clamp(visibleEnd[i], at, end);
      if (visible < before) {
        open -= claimOpen(owner, (int) unitsIn(visible - at), units);
        before = visible;
      }
      if (visible > at) {
        long[] words = entriesOf(i, at, visible);
        if (words != null) {
          entries[i] = words;
          open -= claim(owner, i, words, at, visible);
        }
      }
    }
    return new ChainWindow(this, at, end, unitBits, owner, entries);
  }

  private long unitsIn(long bytes) {
    return (bytes + (1L << unitBits) - 1) >>> unitBits;
  }

  /** What lies behind the end of the overlay below reads as zeroes. */
  private static int claimOpen(short[] owner, int from, int to) {
    int claimed = 0;
    for (int u = from; u < to; u++) {
      if (owner[u] == ChainWindow.OPEN) {
        owner[u] = ChainWindow.ZERO;
        claimed++;
      }
    }
    return claimed;
  }

  private long @org.jspecify.annotations.Nullable [] entriesOf(int index, long at, long end)
      throws IOException {
    OverlayTables overlay = overlays.get(index);
    long table = overlay.nextTable(overlay.geometry().l1Index(at));
    if (table < 0 || table > overlay.geometry().l1Index(end - 1)) {
      return null;
    }
    int bits = overlay.geometry().clusterBits();
    long first = at >>> bits;
    int count = (int) (((end - 1) >>> bits) - first + 1);
    long[] words = new long[count];
    overlay.readEntries(first, count, words);
    return words;
  }

  private int claim(short[] owner, int index, long[] words, long at, long end)
      throws CorruptImageException {
    int unitsPerCluster = 1 << (overlays.get(index).geometry().clusterBits() - unitBits);
    int visibleUnits = (int) unitsIn(end - at);
    int claimed = 0;
    for (int c = 0; c < words.length; c++) {
      long word = words[c];
      if (word == 0) {
        continue;
      }
      short mark = mark(index, word, at, c);
      int from = c * unitsPerCluster;
      int to = Math.min(from + unitsPerCluster, visibleUnits);
      for (int u = from; u < to; u++) {
        if (owner[u] == ChainWindow.OPEN) {
          owner[u] = mark;
          claimed++;
        }
      }
    }
    return claimed;
  }

  private short mark(int index, long word, long at, int cluster) throws CorruptImageException {
    if (L2Entry.isCompressed(word)) {
      return (short) (index + 1);
    }
    if (word == L2Entry.ZERO_PLAIN.word()) {
      return ChainWindow.ZERO;
    }
    OverlayTables overlay = overlays.get(index);
    throw new CorruptImageException(
        "%s: the L2 entry of guest offset %d is %#018x, allowed are a compressed cluster and zeroes"
            .formatted(
                overlay.name(), at + ((long) cluster << overlay.geometry().clusterBits()), word));
  }

  @Override
  public String toString() {
    return "chain of " + Arrays.toString(overlays.stream().map(OverlayTables::name).toArray());
  }
}
