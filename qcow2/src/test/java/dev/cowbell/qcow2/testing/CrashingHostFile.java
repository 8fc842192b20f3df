package dev.cowbell.qcow2.testing;

import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * A file in memory that remembers every write since the last flush, and shows what a crash may
 * leave: all that was flushed, and of the rest any subset, in any order, writes torn at sectors. It
 * can also fail a write or a flush on request.
 */
public final class CrashingHostFile implements HostFile {

  private static final int SECTOR = 512;

  /** Up to this many unflushed pieces every subset is tried. */
  private static final int EXHAUSTIVE = 3;

  private final byte[] initial;
  private final List<Change> log = new ArrayList<>();
  private byte[] content;
  private int size;
  private int failAfter = Integer.MAX_VALUE;
  private int flushes;

  private sealed interface Change {}

  private static final class Write implements Change {
    private final long at;
    private final byte[] bytes;

    Write(long at, byte[] bytes) {
      this.at = at;
      this.bytes = bytes;
    }

    long at() {
      return at;
    }

    byte[] bytes() {
      return bytes;
    }
  }

  private record Resize(int size, boolean grows) implements Change {}

  private record Flush() implements Change {}

  /** Looks at what a crash has left. */
  @FunctionalInterface
  public interface CrashCheck {

    /**
     * Checks an image.
     *
     * @param image the file after the crash
     * @param flushed how many flushes had completed by then
     */
    void check(byte[] image, int flushed) throws Exception;
  }

  public CrashingHostFile(byte[] initial) {
    this.initial = initial.clone();
    this.content = initial.clone();
    this.size = initial.length;
  }

  /** What the file holds now, flushed or not. */
  public synchronized byte[] content() {
    return Arrays.copyOf(content, size);
  }

  /** The flushes so far. */
  public synchronized int flushes() {
    return flushes;
  }

  /** The writes and flushes so far. */
  public synchronized int changes() {
    return log.size();
  }

  /** Whether a crash now would lose nothing. */
  public synchronized boolean isFlushed() {
    return log.isEmpty() || log.getLast() instanceof Flush;
  }

  /** Lets so many more writes and flushes succeed; those behind fail without effect. */
  public synchronized void failAfter(int changes) {
    failAfter = changes;
  }

  /**
   * Shows what crashes at every point of the log may leave.
   *
   * @param perInterval how many crashes to show between two flushes, where there are more
   */
  public void forEachCrash(Random random, int perInterval, CrashCheck check) throws Exception {
    byte[] durable = initial;
    List<Change> pending = new ArrayList<>();
    int flushed = 0;
    for (Change change : log) {
      if (change instanceof Flush) {
        showInterval(durable, pending, flushed, random, perInterval, check);
        durable = apply(durable, pending);
        pending.clear();
        flushed++;
      } else {
        pending.add(change);
      }
    }
    showInterval(durable, pending, flushed, random, perInterval, check);
    check.check(apply(durable, pending), flushed);
  }

  private static void showInterval(
      byte[] durable,
      List<Change> pending,
      int flushed,
      Random random,
      int perInterval,
      CrashCheck check)
      throws Exception {
    if (pending.size() <= EXHAUSTIVE) {
      for (int subset = 0; subset < 1 << pending.size(); subset++) {
        List<Change> arrived = new ArrayList<>();
        for (int i = 0; i < pending.size(); i++) {
          if ((subset >> i & 1) != 0) {
            arrived.add(pending.get(i));
          }
        }
        check.check(apply(durable, arrived), flushed);
      }
    }
    for (int i = 0; i < perInterval && !pending.isEmpty(); i++) {
      check.check(apply(durable, someOf(torn(pending), random)), flushed);
    }
  }

  /** Any subset in any order, as likely nearly all or nearly none as half. */
  private static List<Change> someOf(List<Change> changes, Random random) {
    double share = random.nextInt(5) / 4.0;
    List<Change> some = new ArrayList<>();
    for (Change change : changes) {
      if (random.nextDouble() < 0.02 + 0.96 * share) {
        some.add(change);
      }
    }
    Collections.shuffle(some, random);
    return some;
  }

  private static List<Change> torn(List<Change> changes) {
    List<Change> pieces = new ArrayList<>();
    for (Change change : changes) {
      if (change instanceof Write write) {
        long at = write.at();
        long end = at + write.bytes().length;
        while (at < end) {
          long next = Math.min(end, (at / SECTOR + 1) * SECTOR);
          int from = (int) (at - write.at());
          pieces.add(
              new Write(at, Arrays.copyOfRange(write.bytes(), from, (int) (next - write.at()))));
          at = next;
        }
      } else {
        pieces.add(change);
      }
    }
    return pieces;
  }

  private static byte[] apply(byte[] durable, List<Change> changes) {
    byte[] image = durable.clone();
    for (Change change : changes) {
      switch (change) {
        case Write write -> {
          image = atLeast(image, Math.toIntExact(write.at() + write.bytes().length));
          System.arraycopy(write.bytes(), 0, image, (int) write.at(), write.bytes().length);
        }
        case Resize resize ->
            image =
                resize.grows()
                    ? atLeast(image, resize.size())
                    : Arrays.copyOf(image, resize.size());
        case Flush _ -> {}
      }
    }
    return image;
  }

  private static byte[] atLeast(byte[] image, int size) {
    return image.length >= size ? image : Arrays.copyOf(image, size);
  }

  private void record(Change change) throws IOException {
    if (failAfter == 0) {
      throw new IOException("no space left on the device, as the test asked");
    }
    failAfter--;
    log.add(change);
  }

  @Override
  public String name() {
    return "crashing";
  }

  @Override
  public synchronized long size() {
    return size;
  }

  @Override
  public synchronized int read(long at, ByteBuffer dst) {
    int count = Math.clamp(size - at, 0, dst.remaining());
    dst.put(content, (int) Math.min(at, size), count);
    return count;
  }

  @Override
  public synchronized void write(long at, ByteBuffer src) throws IOException {
    byte[] bytes = new byte[src.remaining()];
    record(new Write(at, bytes));
    src.get(bytes);
    int end = Math.toIntExact(at + bytes.length);
    if (end > content.length) {
      content = Arrays.copyOf(content, Math.max(end, content.length * 3 / 2));
    }
    size = Math.max(size, end);
    System.arraycopy(bytes, 0, content, (int) at, bytes.length);
  }

  @Override
  public synchronized void resize(long newSize) throws IOException {
    record(new Resize(Math.toIntExact(newSize), newSize > size));
    content = Arrays.copyOf(content, (int) newSize);
    size = (int) newSize;
  }

  @Override
  public void punchHole(long at, long length) throws IOException {
    write(at, ByteBuffer.allocate(Math.toIntExact(Math.min(length, Math.max(0, size() - at)))));
  }

  @Override
  public synchronized void flush() throws IOException {
    record(new Flush());
    flushes++;
  }

  @Override
  public void close() {}
}
