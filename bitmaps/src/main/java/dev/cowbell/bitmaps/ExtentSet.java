package dev.cowbell.bitmaps;

import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * An immutable set of bytes, held as sorted runs that neither overlap nor touch. Costs 16 bytes a
 * run; the set operations take one pass over both operands. Offsets are 0 or more, ends fit a long.
 *
 * <p>A set holds at most {@value #MAX_RUNS} runs. What may have more (a large, badly fragmented
 * bitmap) is worked on window by window: see {@link DirtyBitmap#toExtents(long, long)}.
 */
public final class ExtentSet implements Iterable<Run> {

  /** The largest number of runs in one set. */
  public static final int MAX_RUNS = 1 << 27;

  private static final ExtentSet EMPTY = new ExtentSet(new long[0]);

  /** The start of run i at 2i, its end at 2i + 1: strictly ascending throughout. */
  private final long[] bounds;

  private ExtentSet(long[] bounds) {
    this.bounds = bounds;
  }

  /** The set without a byte. */
  public static ExtentSet empty() {
    return EMPTY;
  }

  /** The set of all bytes of {@code [offset, offset + length)}; {@code length} may be 0. */
  public static ExtentSet of(long offset, long length) {
    return builder().add(offset, length).build();
  }

  /** Starts an empty set that takes runs in any order. */
  public static Builder builder() {
    return new Builder();
  }

  /** The number of runs. */
  public int runCount() {
    return bounds.length / 2;
  }

  /** The first byte of run {@code i}, {@code 0 <= i < runCount()}. */
  public long start(int i) {
    return bounds[2 * i];
  }

  /** The first byte behind run {@code i}, {@code 0 <= i < runCount()}. */
  public long end(int i) {
    return bounds[2 * i + 1];
  }

  public boolean isEmpty() {
    return bounds.length == 0;
  }

  /** The number of bytes in the set. */
  public long totalLength() {
    long total = 0;
    for (int i = 0; i < bounds.length; i += 2) {
      total += bounds[i + 1] - bounds[i];
    }
    return total;
  }

  public boolean contains(long offset) {
    int at = Arrays.binarySearch(bounds, offset);
    // A bound itself is inside when it starts a run; between bounds, when the one before starts
    // one.
    return at >= 0 ? (at & 1) == 0 : ((-at - 1) & 1) == 1;
  }

  /** Whether any byte of {@code [offset, offset + length)} is in the set; length is at least 1. */
  public boolean intersects(long offset, long length) {
    if (contains(offset)) {
      return true;
    }
    int at = Arrays.binarySearch(bounds, offset);
    int next = at >= 0 ? at + 1 : -at - 1;
    return next < bounds.length && bounds[next] - offset < length;
  }

  /** Hands out every run in order, without an object for each. */
  public void forEachRun(RunConsumer consumer) {
    for (int i = 0; i < bounds.length; i += 2) {
      consumer.accept(bounds[i], bounds[i + 1] - bounds[i]);
    }
  }

  @Override
  public Iterator<Run> iterator() {
    return new Iterator<>() {
      private int next;

      @Override
      public boolean hasNext() {
        return next < bounds.length;
      }

      @Override
      public Run next() {
        if (next >= bounds.length) {
          throw new NoSuchElementException();
        }
        Run run = new Run(bounds[next], bounds[next + 1] - bounds[next]);
        next += 2;
        return run;
      }
    };
  }

  /** The bytes in either set. */
  public ExtentSet union(ExtentSet other) {
    if (other.isEmpty()) {
      return this;
    }
    return isEmpty() ? other : sweep(other, (a, b) -> a || b);
  }

  /** The bytes in both sets. */
  public ExtentSet intersection(ExtentSet other) {
    return isEmpty() || other.isEmpty() ? EMPTY : sweep(other, (a, b) -> a && b);
  }

  /** The bytes in this set and not in the other. */
  public ExtentSet difference(ExtentSet other) {
    return isEmpty() || other.isEmpty() ? this : sweep(other, (a, b) -> a && !b);
  }

  /** The bytes of {@code [0, size)} that are not in this set. */
  public ExtentSet complement(long size) {
    return of(0, size).difference(this);
  }

  /** The bytes of this set inside {@code [offset, offset + length)}. */
  public ExtentSet clip(long offset, long length) {
    return intersection(of(offset, length));
  }

  /**
   * Grows every run outward to multiples of {@code granularity}, joining those that then touch.
   * Ends may lie behind the end of a disk afterwards: {@link #clip} cuts them.
   *
   * @param granularity a power of two
   */
  public ExtentSet alignOutward(long granularity) {
    if (Long.bitCount(granularity) != 1 || granularity < 0) {
      throw new IllegalArgumentException("granularity " + granularity + " is no power of two");
    }
    Builder aligned = new Builder();
    for (int i = 0; i < bounds.length; i += 2) {
      long start = bounds[i] & -granularity;
      long end = Math.addExact(bounds[i + 1], granularity - 1) & -granularity;
      aligned.add(start, end - start);
    }
    return aligned.build();
  }

  @FunctionalInterface
  private interface Keep {
    boolean test(boolean inThis, boolean inOther);
  }

  /** Walks the bounds of both sets in order and keeps the stretches that {@code keep} wants. */
  private ExtentSet sweep(ExtentSet other, Keep keep) {
    long[] a = bounds;
    long[] b = other.bounds;
    Builder kept = new Builder();
    int i = 0;
    int j = 0;
    boolean inside = false;
    long start = 0;
    while (i < a.length || j < b.length) {
      long at =
          Math.min(i < a.length ? a[i] : Long.MAX_VALUE, j < b.length ? b[j] : Long.MAX_VALUE);
      if (i < a.length && a[i] == at) {
        i++;
      }
      if (j < b.length && b[j] == at) {
        j++;
      }
      boolean now = keep.test((i & 1) == 1, (j & 1) == 1);
      if (now && !inside) {
        start = at;
      } else if (!now && inside) {
        kept.add(start, at - start);
      }
      inside = now;
    }
    return kept.build();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ExtentSet set && Arrays.equals(bounds, set.bounds);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bounds);
  }

  /** The first runs, for messages and tests. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("{");
    int shown = Math.min(runCount(), 16);
    for (int i = 0; i < shown; i++) {
      text.append(i == 0 ? "" : ", ").append(start(i)).append("..").append(end(i));
    }
    return text.append(shown < runCount() ? ", … " + runCount() + " runs}" : "}").toString();
  }

  /**
   * Collects runs into a set. Fastest when they come in order; runs that touch or overlap the last
   * one join it at once, others are sorted when the set is built. Used by one thread, once.
   */
  public static final class Builder {
    private long[] bounds = new long[16];
    private int used;
    private boolean sorted = true;

    private Builder() {}

    /**
     * Adds {@code [offset, offset + length)}.
     *
     * @param length 0 or more; 0 adds nothing
     * @throws IllegalStateException if the set would have more than {@link #MAX_RUNS} runs
     */
    public Builder add(long offset, long length) {
      long end = offset + length;
      if (offset < 0 || length < 0 || end < 0) {
        throw new IllegalArgumentException("not a run: offset " + offset + ", length " + length);
      }
      if (length == 0) {
        return this;
      }
      if (used > 0 && offset >= bounds[used - 2] && offset <= bounds[used - 1]) {
        bounds[used - 1] = Math.max(bounds[used - 1], end);
        return this;
      }
      sorted &= used == 0 || offset > bounds[used - 1];
      append(offset, end);
      return this;
    }

    /** Adds every byte of a set. */
    public Builder addAll(ExtentSet set) {
      set.forEachRun(this::add);
      return this;
    }

    public ExtentSet build() {
      if (used == 0) {
        return EMPTY;
      }
      if (!sorted) {
        sort();
      }
      return new ExtentSet(Arrays.copyOf(bounds, used));
    }

    private void append(long start, long end) {
      if (used == bounds.length) {
        if (used / 2 >= MAX_RUNS) {
          throw new IllegalStateException("more than " + MAX_RUNS + " runs in one extent set");
        }
        bounds = Arrays.copyOf(bounds, (int) Math.min(2L * used, 2L * MAX_RUNS));
      }
      bounds[used++] = start;
      bounds[used++] = end;
    }

    /**
     * Sorts starts and ends apart from each other: a byte is in the set where more runs have
     * started than ended, so which end belongs to which start does not matter.
     */
    private void sort() {
      int runs = used / 2;
      long[] starts = new long[runs];
      long[] ends = new long[runs];
      for (int i = 0; i < runs; i++) {
        starts[i] = bounds[2 * i];
        ends[i] = bounds[2 * i + 1];
      }
      Arrays.sort(starts);
      Arrays.sort(ends);
      used = 0;
      for (int i = 0; i < runs; i++) {
        if (used > 0 && starts[i] <= bounds[used - 1]) {
          bounds[used - 1] = ends[i];
        } else {
          append(starts[i], ends[i]);
        }
      }
      sorted = true;
    }
  }
}
