package dev.cowbell.bitmaps;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A long vector of bits in chunks of 4 KiB, of which only those that mix zeroes and ones take
 * memory. Indices are bit numbers; ranges exclude their end. Callers keep them inside the length.
 */
final class SparseBits {

  private static final int CHUNK_SHIFT = 15;
  private static final long CHUNK_BITS = 1L << CHUNK_SHIFT;
  private static final int CHUNK_WORDS = (int) (CHUNK_BITS / Long.SIZE);

  /** An array without words stands for a chunk of ones. */
  private static final long[] ALL_ONES = new long[0];

  private long length;

  /** Null is a chunk of zeroes. Bits behind the length are zero. */
  private long[] @Nullable [] chunks;

  SparseBits(long length) {
    this.length = length;
    this.chunks = new long[chunksFor(length)][];
  }

  private SparseBits(SparseBits other) {
    length = other.length;
    chunks = other.chunks.clone();
    for (int i = 0; i < chunks.length; i++) {
      long[] chunk = chunks[i];
      if (chunk != null && !isAllOnes(chunk)) {
        chunks[i] = chunk.clone();
      }
    }
  }

  SparseBits copy() {
    return new SparseBits(this);
  }

  private static boolean isAllOnes(long @Nullable [] chunk) {
    return chunk != null && chunk.length == 0;
  }

  private static int chunksFor(long length) {
    return Math.toIntExact((length + CHUNK_BITS - 1) >>> CHUNK_SHIFT);
  }

  long length() {
    return length;
  }

  boolean get(long bit) {
    long[] chunk = chunks[(int) (bit >>> CHUNK_SHIFT)];
    return chunk != null && (isAllOnes(chunk) || (chunk[wordOf(bit)] >>> bit & 1) != 0);
  }

  private static int wordOf(long bit) {
    return (int) (bit >>> 6) & CHUNK_WORDS - 1;
  }

  void set(long from, long to) {
    for (long at = from; at < to; ) {
      int index = (int) (at >>> CHUNK_SHIFT);
      long base = (long) index << CHUNK_SHIFT;
      long end = Math.min(to, base + CHUNK_BITS);
      if (end - at == CHUNK_BITS) {
        chunks[index] = ALL_ONES;
      } else if (!isAllOnes(chunks[index])) {
        fill(writable(index), (int) (at - base), (int) (end - base), true);
      }
      at = end;
    }
  }

  void clear(long from, long to) {
    for (long at = from; at < to; ) {
      int index = (int) (at >>> CHUNK_SHIFT);
      long base = (long) index << CHUNK_SHIFT;
      long end = Math.min(to, base + CHUNK_BITS);
      if (at == base && (end - at == CHUNK_BITS || end == length)) {
        chunks[index] = null;
      } else if (chunks[index] != null) {
        fill(writable(index), (int) (at - base), (int) (end - base), false);
      }
      at = end;
    }
  }

  private long[] writable(int index) {
    long[] chunk = chunks[index];
    if (chunk == null) {
      chunk = new long[CHUNK_WORDS];
    } else if (isAllOnes(chunk)) {
      chunk = new long[CHUNK_WORDS];
      Arrays.fill(chunk, -1L);
    }
    chunks[index] = chunk;
    return chunk;
  }

  private static void fill(long[] words, int from, int to, boolean value) {
    int first = from >>> 6;
    int last = (to - 1) >>> 6;
    long firstMask = -1L << from;
    long lastMask = -1L >>> -to;
    if (first == last) {
      put(words, first, firstMask & lastMask, value);
      return;
    }
    put(words, first, firstMask, value);
    Arrays.fill(words, first + 1, last, value ? -1L : 0L);
    put(words, last, lastMask, value);
  }

  private static void put(long[] words, int word, long mask, boolean value) {
    words[word] = value ? words[word] | mask : words[word] & ~mask;
  }

  /** The first one at or behind {@code from} and before {@code limit}, or the limit. */
  long nextSet(long from, long limit) {
    return next(from, limit, 0L);
  }

  /** The first zero at or behind {@code from} and before {@code limit}, or the limit. */
  long nextClear(long from, long limit) {
    return next(from, limit, -1L);
  }

  /** The first bit that differs from {@code skipped}: 0 looks for ones, −1 for zeroes. */
  private long next(long from, long limit, long skipped) {
    long at = from;
    while (at < limit) {
      int index = (int) (at >>> CHUNK_SHIFT);
      long base = (long) index << CHUNK_SHIFT;
      long[] chunk = chunks[index];
      if (chunk == null || isAllOnes(chunk)) {
        if ((chunk == null ? 0L : -1L) != skipped) {
          return at;
        }
      } else {
        int word = wordOf(at);
        long found = (chunk[word] ^ skipped) & -1L << at;
        while (found == 0 && ++word < CHUNK_WORDS) {
          found = chunk[word] ^ skipped;
        }
        if (found != 0) {
          return Math.min(
              limit, base + (long) word * Long.SIZE + Long.numberOfTrailingZeros(found));
        }
      }
      at = base + CHUNK_BITS;
    }
    return limit;
  }

  long cardinality() {
    long ones = 0;
    for (long[] chunk : chunks) {
      if (isAllOnes(chunk)) {
        ones += CHUNK_BITS;
      } else if (chunk != null) {
        for (long word : chunk) {
          ones += Long.bitCount(word);
        }
      }
    }
    return ones;
  }

  /** Sets every bit that is set in {@code other}, which has the same length. */
  void or(SparseBits other) {
    for (int i = 0; i < chunks.length; i++) {
      long[] theirs = other.chunks[i];
      if (theirs == null || isAllOnes(chunks[i])) {
        continue;
      }
      if (isAllOnes(theirs)) {
        chunks[i] = ALL_ONES;
        continue;
      }
      long[] ours = writable(i);
      for (int word = 0; word < CHUNK_WORDS; word++) {
        ours[word] |= theirs[word];
      }
    }
  }

  /** New bits are zero; those cut off are gone for good. */
  void resize(long newLength) {
    if (newLength < length) {
      clear(newLength, length);
    }
    length = newLength;
    chunks = Arrays.copyOf(chunks, chunksFor(newLength));
  }

  /**
   * Sets bits from their packed form: bit i of byte j of {@code src} is bit {@code first + 8j + i}.
   * What lies behind the length is ignored.
   *
   * @param first a multiple of 64
   */
  void setPacked(long first, ByteBuffer src) {
    ByteBuffer in = src.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    for (long at = first; at < length && in.hasRemaining(); at += Long.SIZE) {
      long word = 0;
      if (in.remaining() >= Long.BYTES) {
        word = in.getLong();
      } else {
        for (int shift = 0; in.hasRemaining(); shift += 8) {
          word |= (in.get() & 0xFFL) << shift;
        }
      }
      if (length - at < Long.SIZE) {
        word &= -1L >>> -length;
      }
      int index = (int) (at >>> CHUNK_SHIFT);
      if (word != 0 && !isAllOnes(chunks[index])) {
        writable(index)[wordOf(at)] |= word;
      }
    }
  }

  /**
   * Fills {@code dst} with the packed form of the bits from {@code first} on; zeroes behind the
   * length.
   *
   * @param first a multiple of 64
   */
  void getPacked(long first, ByteBuffer dst) {
    ByteBuffer out = dst.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    for (long at = first; out.hasRemaining(); at += Long.SIZE) {
      long[] chunk = at < length ? chunks[(int) (at >>> CHUNK_SHIFT)] : null;
      long word = chunk == null ? 0 : isAllOnes(chunk) ? -1L : chunk[wordOf(at)];
      if (out.remaining() >= Long.BYTES) {
        out.putLong(word);
      } else {
        for (; out.hasRemaining(); word >>>= 8) {
          out.put((byte) word);
        }
      }
    }
  }
}
