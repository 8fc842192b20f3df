package dev.cowbell.agent.demo;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.Extent.Status;
import dev.cowbell.qcow2.GuestDisk;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;

/**
 * A disk that looks like one in use: some blocks hold text, some hold what does not compress, most
 * hold nothing. The same generation always has the same content.
 */
final class SampleDisk implements GuestDisk {

  static final int BLOCK = 64 << 10;

  private static final int BLOCKS = 2048;
  private static final int USED_EVERY = 8;
  private static final int TEXT_OF = 4;
  private static final String[] WORDS = {
    "INFO", "request", "served", "in", "ms", "WARN", "session", "expired", "GET", "/index.html"
  };

  private final int generation;

  /**
   * @param generation 0 for the disk as it first was, 1 for after {@link #changed}
   */
  SampleDisk(int generation) {
    this.generation = generation;
  }

  /** Where generation 1 differs from generation 0. */
  static ExtentSet changed() {
    ExtentSet.Builder changed = ExtentSet.builder();
    for (int block = 0; block < BLOCKS; block++) {
      if (isRewritten(block) || isNew(block)) {
        changed.add((long) block * BLOCK, BLOCK);
      }
    }
    return changed.build();
  }

  private static boolean isRewritten(int block) {
    return block % (USED_EVERY * 32) == 0;
  }

  private static boolean isNew(int block) {
    return block % 512 == 101;
  }

  private boolean isUsed(int block) {
    return block % USED_EVERY < 2 || (generation > 0 && isNew(block));
  }

  @Override
  public long size() {
    return (long) BLOCKS * BLOCK;
  }

  @Override
  public void read(long at, ByteBuffer dst) {
    Objects.checkFromIndexSize(at, (long) dst.remaining(), size());
    long offset = at;
    while (dst.hasRemaining()) {
      int inBlock = (int) (offset % BLOCK);
      int length = Math.min(dst.remaining(), BLOCK - inBlock);
      dst.put(content((int) (offset / BLOCK)), inBlock, length);
      offset += length;
    }
  }

  private byte[] content(int block) {
    byte[] content = new byte[BLOCK];
    if (isUsed(block)) {
      boolean later = generation > 0 && (isRewritten(block) || isNew(block));
      Random random = new Random(block * 2L + (later ? 1 : 0));
      if (block % TEXT_OF == 0) {
        writeText(content, random);
      } else {
        random.nextBytes(content);
      }
    }
    return content;
  }

  private static void writeText(byte[] content, Random random) {
    int at = 0;
    while (at < content.length) {
      String word = WORDS[random.nextInt(WORDS.length)] + (random.nextInt(6) == 0 ? '\n' : ' ');
      byte[] bytes = word.getBytes(StandardCharsets.US_ASCII);
      int length = Math.min(bytes.length, content.length - at);
      System.arraycopy(bytes, 0, content, at, length);
      at += length;
    }
  }

  @Override
  public List<Extent> extents(long at, long length) {
    Objects.checkFromIndexSize(at, length, size());
    List<Extent> extents = new ArrayList<>();
    long end = at + length;
    for (long start = at; start < end; ) {
      Status status = status(start);
      long stop = start;
      while (stop < end && status(stop) == status) {
        stop = Math.min(end, (stop / BLOCK + 1) * BLOCK);
      }
      extents.add(new Extent(start, stop - start, status));
      start = stop;
    }
    return extents;
  }

  private Status status(long at) {
    return isUsed((int) (at / BLOCK)) ? Status.DATA : Status.UNALLOCATED;
  }

  @Override
  public void close() {}
}
