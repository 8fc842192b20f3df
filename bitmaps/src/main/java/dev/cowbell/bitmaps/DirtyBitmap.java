package dev.cowbell.bitmaps;

import java.nio.ByteBuffer;

/**
 * A disk's dirty bitmap in memory: one bit for each granule of the disk, set where something
 * changed. Stretches that are all clean or all dirty take no memory to speak of: 10 TiB at 64 KiB
 * cost 20 KiB while clean and 20 MiB at the very most.
 *
 * <p>Offsets, lengths and sizes are in bytes. Not safe for use by several threads at once, with one
 * exception: while other threads do nothing but set bits, one after another, {@link #allDirty} may
 * be asked at any time. It may not know yet of bits that are just being set, and never makes one
 * up.
 */
public final class DirtyBitmap {

  /** The smallest granularity, 512 bytes, as a power of two. */
  public static final int MIN_GRANULARITY_BITS = 9;

  /** The largest granularity, 2 GiB, as a power of two. */
  public static final int MAX_GRANULARITY_BITS = 31;

  /** The largest number of granules; eight times what an image may store. */
  public static final long MAX_GRANULES = 1L << 35;

  private final int granularityBits;
  private final SparseBits bits;
  private long size;

  /**
   * A clean bitmap.
   *
   * @param size of the disk in bytes, 0 or more
   * @param granularityBits the granularity as a power of two, {@value #MIN_GRANULARITY_BITS} to
   *     {@value #MAX_GRANULARITY_BITS}
   * @throws IllegalArgumentException if one is out of bounds, or they make more than {@link
   *     #MAX_GRANULES} granules
   */
  public DirtyBitmap(long size, int granularityBits) {
    if (granularityBits < MIN_GRANULARITY_BITS || granularityBits > MAX_GRANULARITY_BITS) {
      throw new IllegalArgumentException(
          "granularity 2^" + granularityBits + " is outside 2^9 to 2^31 bytes");
    }
    this.granularityBits = granularityBits;
    this.size = size;
    this.bits = new SparseBits(granules(size, granularityBits));
  }

  private DirtyBitmap(DirtyBitmap other) {
    granularityBits = other.granularityBits;
    size = other.size;
    bits = other.bits.copy();
  }

  /** A bitmap with every granule dirty that {@code extents} touch; those inside {@code size}. */
  public static DirtyBitmap of(ExtentSet extents, long size, int granularityBits) {
    DirtyBitmap bitmap = new DirtyBitmap(size, granularityBits);
    bitmap.set(extents.clip(0, size));
    return bitmap;
  }

  /** The number of granules in a disk of {@code size} bytes; the last one may be partial. */
  private static long granules(long size, int granularityBits) {
    if (size < 0) {
      throw new IllegalArgumentException("disk size " + size + " is negative");
    }
    long granules =
        (size >>> granularityBits) + ((size & (1L << granularityBits) - 1) == 0 ? 0 : 1);
    if (granules > MAX_GRANULES) {
      throw new IllegalArgumentException(
          "a disk of %d bytes has %d granules of 2^%d bytes; at most %d are possible"
              .formatted(size, granules, granularityBits, MAX_GRANULES));
    }
    return granules;
  }

  /** An independent copy. */
  public DirtyBitmap copy() {
    return new DirtyBitmap(this);
  }

  /** The size of the disk in bytes. */
  public long size() {
    return size;
  }

  public int granularityBits() {
    return granularityBits;
  }

  /** The bytes that one bit stands for. */
  public long granularity() {
    return 1L << granularityBits;
  }

  /** The number of bits; the last one may stand for less than a whole granule. */
  public long granules() {
    return bits.length();
  }

  /**
   * Marks every granule dirty that the range touches.
   *
   * @throws IndexOutOfBoundsException if the range is not inside the disk
   */
  public void set(long offset, long length) {
    long end = endGranule(offset, length);
    if (length > 0) {
      bits.set(offset >>> granularityBits, end);
    }
  }

  /** Marks every granule dirty that the set touches; it must lie inside the disk. */
  public void set(ExtentSet extents) {
    extents.forEachRun(this::set);
  }

  /**
   * Marks every granule clean that lies in the range as a whole; one that is only touched stays as
   * it is, since the rest of it may have changed. The disk's last granule ends where the disk does.
   *
   * @throws IndexOutOfBoundsException if the range is not inside the disk
   */
  public void clear(long offset, long length) {
    checkRange(offset, length);
    long end = offset + length;
    long from = (offset >>> granularityBits) + ((offset & granularity() - 1) == 0 ? 0 : 1);
    long to = end == size ? bits.length() : end >>> granularityBits;
    if (from < to) {
      bits.clear(from, to);
    }
  }

  /** Marks everything clean. */
  public void clearAll() {
    bits.clear(0, bits.length());
  }

  /** Whether the granule around a byte is dirty. */
  public boolean isDirty(long offset) {
    checkRange(offset, 1);
    return bits.get(offset >>> granularityBits);
  }

  public boolean isClean() {
    return bits.nextSet(0, bits.length()) == bits.length();
  }

  /** The first dirty byte at or behind {@code from}, or the disk's size if there is none. */
  public long nextDirty(long from) {
    checkRange(from, 0);
    return from == size
        ? size
        : Math.max(from, offsetOf(bits.nextSet(from >>> granularityBits, bits.length())));
  }

  /** The first clean byte at or behind {@code from}, or the disk's size if there is none. */
  public long nextClean(long from) {
    checkRange(from, 0);
    return from == size
        ? size
        : Math.max(from, offsetOf(bits.nextClear(from >>> granularityBits, bits.length())));
  }

  /** Whether any granule that the range touches is dirty. */
  public boolean anyDirty(long offset, long length) {
    long end = endGranule(offset, length);
    return length > 0 && bits.nextSet(offset >>> granularityBits, end) < end;
  }

  /** Whether every granule that the range touches is dirty. */
  public boolean allDirty(long offset, long length) {
    long end = endGranule(offset, length);
    return length == 0 || bits.nextClear(offset >>> granularityBits, end) == end;
  }

  /** The granule behind the last one that a range touches. */
  private long endGranule(long offset, long length) {
    checkRange(offset, length);
    return length == 0
        ? offset >>> granularityBits
        : ((offset + length - 1) >>> granularityBits) + 1;
  }

  private long offsetOf(long granule) {
    return granule == bits.length() ? size : granule << granularityBits;
  }

  /** The number of dirty bytes, none counted behind the disk's end. */
  public long dirtyBytes() {
    long whole = bits.cardinality() << granularityBits;
    long tail = size & granularity() - 1;
    boolean partial = tail != 0 && bits.get(bits.length() - 1);
    return partial ? whole - granularity() + tail : whole;
  }

  /** Hands out the dirty runs inside a range of the disk, in order. */
  public void forEachDirtyRun(long offset, long length, RunConsumer consumer) {
    checkRange(offset, length);
    long limit = offset + length;
    for (long start = nextDirty(offset); start < limit; ) {
      long end = Math.min(limit, nextClean(start));
      consumer.accept(start, end - start);
      start = nextDirty(end);
    }
  }

  /** The dirty bytes, none behind the disk's end. */
  public ExtentSet toExtents() {
    return toExtents(0, size);
  }

  /** The dirty bytes inside a range of the disk. */
  public ExtentSet toExtents(long offset, long length) {
    ExtentSet.Builder extents = ExtentSet.builder();
    forEachDirtyRun(offset, length, extents::add);
    return extents.build();
  }

  /**
   * Marks dirty whatever is dirty in the other bitmap of the same disk. Of a coarser bitmap's dirty
   * granule every part is dirty; a finer bitmap's dirty granule makes the whole one around it so.
   *
   * @throws IllegalArgumentException if the other bitmap is for another disk size
   */
  public void merge(DirtyBitmap other) {
    if (other.size != size) {
      throw new IllegalArgumentException(
          "a bitmap for %d bytes can't be merged into one for %d bytes"
              .formatted(other.size, size));
    }
    if (other.granularityBits == granularityBits) {
      bits.or(other.bits);
    } else {
      other.forEachDirtyRun(0, size, this::set);
    }
  }

  /** The same dirty bytes at another granularity, rounded outward. */
  public DirtyBitmap withGranularity(int newGranularityBits) {
    DirtyBitmap converted = new DirtyBitmap(size, newGranularityBits);
    converted.merge(this);
    return converted;
  }

  /**
   * Follows a resize of the disk as QEMU does: what is new is clean, what is cut off is forgotten,
   * and a granule that stays in part keeps its bit.
   *
   * @param newSize 0 or more
   */
  public void resize(long newSize) {
    bits.resize(granules(newSize, granularityBits));
    size = newSize;
  }

  /**
   * Adds dirty granules from their packed form: bit i of byte j of {@code src} is granule {@code
   * firstGranule + 8j + i}. Bits behind the disk's end are ignored. The buffer is left as it was.
   *
   * @param firstGranule a multiple of 64
   */
  public void setPacked(long firstGranule, ByteBuffer src) {
    checkPacked(firstGranule);
    bits.setPacked(firstGranule, src);
  }

  /**
   * Fills {@code dst} from its position to its limit with the packed form of the granules from
   * {@code firstGranule} on, zeroes behind the last. The buffer's position is left as it was.
   *
   * @param firstGranule a multiple of 64
   */
  public void getPacked(long firstGranule, ByteBuffer dst) {
    checkPacked(firstGranule);
    bits.getPacked(firstGranule, dst);
  }

  private static void checkPacked(long firstGranule) {
    if (firstGranule < 0 || (firstGranule & 63) != 0) {
      throw new IllegalArgumentException("granule " + firstGranule + " is no multiple of 64");
    }
  }

  private void checkRange(long offset, long length) {
    if (offset < 0 || length < 0 || offset > size - length) {
      throw new IndexOutOfBoundsException(
          "offset %d, length %d is not inside a disk of %d bytes".formatted(offset, length, size));
    }
  }

  @Override
  public String toString() {
    return "%d of %d bytes dirty, granularity %d".formatted(dirtyBytes(), size, granularity());
  }
}
