package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.crypto.ImageCipher;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * A stretch of the disk on its way into a new image: a buffer with its content, and what becomes of
 * each of its units. Made once per worker and used again and again.
 */
final class Chunk {

  /** What becomes of a unit. */
  enum Fate {
    /** Nothing is written; the unit reads as whatever lies below. */
    LEFT_OUT,
    /** Is made to read as zeroes. */
    ZERO,
    /** Gets a place, but nothing is written there; reads as whatever lies below. */
    RESERVED,
    /** Gets a place, and is made to read as zeroes. */
    RESERVED_ZERO,
    /** Is written as it is. */
    PLAIN,
    /** Is written compressed. */
    COMPRESSED;

    /** Whether it has a cluster of the file to itself. */
    boolean takesCluster() {
      return this == PLAIN || this == RESERVED || this == RESERVED_ZERO;
    }
  }

  private final int unit;
  private final ByteBuffer content;
  private final Fate[] fates;

  /** Where the packed form of compressed units starts in {@link #packed}, and its length. */
  private final int[] packedStart;

  private final int[] packedLength;

  /** Where each unit goes in the file; of no meaning for units that are not written. */
  private final long[] hostOffset;

  private final ByteBuffer packed;
  private long start;
  private int units;

  /**
   * @param unit the bytes of a unit, a power of two
   * @param capacity the bytes of the largest stretch, a multiple of the unit
   * @param compresses whether there are compressed units
   */
  Chunk(int unit, int capacity, boolean compresses) {
    this.unit = unit;
    content = ByteBuffer.allocateDirect(capacity);
    packed = ByteBuffer.allocateDirect(compresses ? capacity : 0);
    int most = capacity / unit;
    fates = new Fate[most];
    packedStart = new int[most];
    packedLength = new int[most];
    hostOffset = new long[most];
  }

  /**
   * Begins a new stretch; its units are left out until something else is said.
   *
   * @param at a multiple of the unit
   * @param length its bytes; the last unit may be cut by the disk's end
   */
  void begin(long at, int length) {
    start = at;
    units = (length + unit - 1) / unit;
    content.clear().limit(units * unit);
    packed.clear();
    Arrays.fill(fates, 0, units, Fate.LEFT_OUT);
  }

  long start() {
    return start;
  }

  int unit() {
    return unit;
  }

  int units() {
    return units;
  }

  /** The guest offset of a unit. */
  long guestOffset(int index) {
    return start + (long) index * unit;
  }

  /** The content, whose position and limit are the caller's to set. */
  ByteBuffer content() {
    return content;
  }

  /** The packed forms of compressed units, one behind the other. */
  ByteBuffer packed() {
    return packed;
  }

  Fate fate(int index) {
    return fates[index];
  }

  void set(int index, Fate fate) {
    fates[index] = fate;
  }

  /** Says that a unit is compressed and where its packed form is. */
  void setCompressed(int index, int packedAt, int length) {
    fates[index] = Fate.COMPRESSED;
    packedStart[index] = packedAt;
    packedLength[index] = length;
  }

  int packedLength(int index) {
    return packedLength[index];
  }

  void place(int index, long offset) {
    hostOffset[index] = offset;
  }

  long hostOffset(int index) {
    return hostOffset[index];
  }

  /** Encrypts, in place, the units that are written as they are. */
  void encrypt(ImageCipher cipher) {
    for (int i = 0; i < units; i++) {
      if (fates[i] == Fate.PLAIN) {
        cipher.encrypt(guestOffset(i), hostOffset[i], content.slice(i * unit, unit));
      }
    }
  }

  /** What writes a run of a chunk's bytes to the file. */
  interface RunWriter {
    void write(long hostOffset, ByteBuffer bytes) throws IOException;
  }

  /** Hands out what is to be written, neighbours in the file and in memory as one. */
  void writeTo(RunWriter writer) throws IOException {
    for (int i = 0; i < units; ) {
      if (fates[i] != Fate.PLAIN && fates[i] != Fate.COMPRESSED) {
        i++;
        continue;
      }
      int end = i + 1;
      int length = lengthOf(i);
      while (end < units
          && fates[end] == fates[i]
          && hostOffset[end] == hostOffset[i] + length
          && memoryStart(end) == memoryStart(i) + length) {
        length += lengthOf(end);
        end++;
      }
      ByteBuffer memory = fates[i] == Fate.COMPRESSED ? packed : content;
      writer.write(hostOffset[i], memory.slice(memoryStart(i), length));
      i = end;
    }
  }

  private int lengthOf(int index) {
    return fates[index] == Fate.COMPRESSED ? packedLength[index] : unit;
  }

  private int memoryStart(int index) {
    return fates[index] == Fate.COMPRESSED ? packedStart[index] : index * unit;
  }
}
