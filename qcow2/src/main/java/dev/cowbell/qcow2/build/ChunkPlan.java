package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.GuestDisk;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a disk into stretches, in guest order: chunks in which something is stored, and runs of any
 * length between them in which nothing is. Used by one thread at a time.
 */
final class ChunkPlan {

  /** How much of the map is asked for at once. */
  private static final long WINDOW = 256 << 20;

  /**
   * A stretch of the disk.
   *
   * @param number its place in the order, from 0
   * @param start a multiple of the chunk's size where it holds data, else of the unit
   * @param stored the runs inside that are not known to be zero, in order; none for a run of zeroes
   */
  record Stretch(long number, long start, long length, List<Extent> stored) {
    boolean isZero() {
      return stored.isEmpty();
    }
  }

  private final GuestDisk source;
  private final long diskSize;
  private final int chunk;
  private final boolean everything;
  private final Deque<Extent> known = new ArrayDeque<>();
  private long asked;
  private long position;
  private long number;

  /**
   * @param chunk the bytes of a chunk, a power of two
   * @param everything whether to take all for stored, known zeroes too
   */
  ChunkPlan(GuestDisk source, int chunk, boolean everything) {
    this.source = source;
    this.diskSize = source.size();
    this.chunk = chunk;
    this.everything = everything;
  }

  /** The next stretch; null at the end of the disk. */
  @Nullable Stretch next() throws IOException {
    if (position >= diskSize) {
      return null;
    }
    long start = position;
    long end = Math.min(start + chunk, diskSize);
    List<Extent> stored = take(end);
    if (stored.isEmpty()) {
      // go on to the chunk with the next data
      while (end < diskSize) {
        ask(end + 1);
        long data = known.isEmpty() ? asked : known.getFirst().offset();
        end = Math.min(data & -chunk, diskSize);
        if (!known.isEmpty()) {
          break;
        }
        end = Math.min(asked, diskSize);
      }
    }
    position = end;
    return new Stretch(number++, start, end - start, stored);
  }

  /** Takes the stored runs before {@code end} out of those that are known. */
  private List<Extent> take(long end) throws IOException {
    ask(end);
    List<Extent> taken = new ArrayList<>();
    while (!known.isEmpty() && known.getFirst().offset() < end) {
      Extent first = known.removeFirst();
      if (first.end() <= end) {
        taken.add(first);
      } else {
        taken.add(new Extent(first.offset(), end - first.offset(), first.status()));
        known.addFirst(new Extent(end, first.end() - end, first.status()));
      }
    }
    return taken;
  }

  private void ask(long end) throws IOException {
    while (asked < Math.min(end, diskSize)) {
      long length = Math.min(WINDOW, diskSize - asked);
      if (everything) {
        known.add(new Extent(asked, length, Extent.Status.DATA));
        asked += length;
        continue;
      }
      for (Extent extent : source.extents(asked, length)) {
        if (extent.status() == Extent.Status.DATA) {
          known.add(extent);
        }
      }
      asked += length;
    }
  }
}
