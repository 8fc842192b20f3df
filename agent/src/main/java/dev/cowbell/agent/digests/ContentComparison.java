package dev.cowbell.agent.digests;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.Extent.Status;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.overlay.ContentDigest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Finds where a disk differs from what digests say of it. What its image knows to be zero is not
 * read. Some pieces of {@value #PIECE} bytes are read and digested at a time.
 */
public final class ContentComparison {

  /** Chooses what is compared. */
  @FunctionalInterface
  public interface Choice {

    /** Everything. */
    Choice ALL = (_, _) -> true;

    /** Whether some bytes are to be compared. They lie in one aligned piece of {@link #PIECE}. */
    boolean wanted(long start, long end);

    /** Whether bytes of which nothing is known count as different. */
    default boolean unknownDiffers() {
      return true;
    }
  }

  /** Is told how far it is, and may stop it by throwing. */
  @FunctionalInterface
  public interface Monitor {
    void compared(long bytes) throws IOException;
  }

  /** How much is read at a time, in bytes. */
  public static final int PIECE = 4 << 20;

  private static final long WINDOW = 1L << 30;

  private final UUID repository;
  private final GuestDisk disk;
  private final Choice choice;
  private final Monitor monitor;
  private final int threads = Runtime.getRuntime().availableProcessors() + 1;
  private final ArrayDeque<Future<ExtentSet>> ahead = new ArrayDeque<>();
  private final ConcurrentLinkedQueue<Scratch> idle = new ConcurrentLinkedQueue<>();
  private final ExtentSet.Builder differences = ExtentSet.builder();

  /** What a thread needs. */
  private static final class Scratch {
    private final ByteBuffer content = ByteBuffer.allocate(PIECE);
    private final ContentDigest digest;
    private final byte[] found = new byte[ContentDigest.LENGTH];

    Scratch(UUID repository) {
      digest = new ContentDigest(repository.toString());
    }
  }

  /**
   * @param repository whose digests it is compared with
   * @param disk what there is now; read by some threads at once
   */
  public ContentComparison(UUID repository, GuestDisk disk, Choice choice, Monitor monitor) {
    this.repository = repository;
    this.disk = disk;
    this.choice = choice;
    this.monitor = monitor;
  }

  /**
   * Compares as much of the disk as the digests describe.
   *
   * @return where the disk differs, or may differ; within its size
   * @throws dev.cowbell.agent.repository.DamagedObjectException if the digests can't be used
   */
  public ExtentSet run(DigestChain digests) throws IOException {
    long end = Math.min(disk.size(), digests.size());
    try (ExecutorService pool =
        Executors.newFixedThreadPool(
            threads, Thread.ofPlatform().name("compare-", 0).daemon().factory())) {
      for (DigestRun run = digests.next(); run != null; run = digests.next()) {
        if (run.start() < end) {
          compare(run, Math.min(run.end(), end), pool);
        }
      }
      while (!ahead.isEmpty()) {
        collect();
      }
    }
    return differences.build().clip(0, disk.size());
  }

  private void compare(DigestRun run, long end, ExecutorService pool) throws IOException {
    switch (run.kind()) {
      case UNKNOWN -> {
        if (choice.unknownDiffers()) {
          submit(run, run.start(), end, pool);
        }
      }
      case ZERO -> {
        for (long at = run.start(); at < end; at += WINDOW) {
          long length = Math.min(WINDOW, end - at);
          zeroes(run, at, length, pool);
          monitor.compared(length);
        }
        return;
      }
      case ABSENT -> {}
      case DATA -> submit(run, run.start(), end, pool);
    }
    monitor.compared(end - run.start());
  }

  /** What was zero can differ only where there is data now. */
  private void zeroes(DigestRun run, long at, long length, ExecutorService pool)
      throws IOException {
    for (Extent extent : disk.extents(at, length)) {
      if (extent.status() == Status.DATA) {
        submit(run, extent.offset(), extent.end(), pool);
      }
    }
  }

  private void submit(DigestRun run, long start, long end, ExecutorService pool)
      throws IOException {
    long at = start;
    while (at < end) {
      long pieceEnd = Math.min((at | (PIECE - 1)) + 1, end);
      if (choice.wanted(at, pieceEnd)) {
        long from = at;
        while (ahead.size() >= 2 * threads) {
          collect();
        }
        ahead.add(pool.submit(() -> piece(run, from, pieceEnd)));
      }
      at = pieceEnd;
    }
  }

  private void collect() throws IOException {
    try {
      differences.addAll(ahead.remove().get());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case IOException io -> throw io;
        case RuntimeException other -> throw other;
        case Error other -> throw other;
        case null, default -> throw new AssertionError(e);
      }
    }
  }

  private ExtentSet piece(DigestRun run, long start, long end) throws IOException {
    if (run.kind() == DigestRun.Kind.UNKNOWN) {
      return ExtentSet.of(start, end - start);
    }
    Scratch pooled = idle.poll();
    Scratch scratch = pooled != null ? pooled : new Scratch(repository);
    try {
      return piece(run, start, end, scratch);
    } finally {
      idle.add(scratch);
    }
  }

  private ExtentSet piece(DigestRun run, long start, long end, Scratch scratch) throws IOException {
    int unit = run.kind() == DigestRun.Kind.DATA ? run.unit() : ContentDigest.MAX_UNIT;
    int length = (int) (end - start);
    int padded = Math.min(PIECE, (length + unit - 1) & -unit);
    scratch.content.clear().limit(length);
    if (holdsData(start, length)) {
      disk.read(start, scratch.content);
    }
    Arrays.fill(scratch.content.array(), scratch.content.position(), padded, (byte) 0);
    scratch.content.clear();
    ExtentSet.Builder found = ExtentSet.builder();
    for (int at = 0; at < length; at += unit) {
      int unitLength = Math.min(unit, padded - at);
      if (differs(run, start + at, at, unitLength, scratch)) {
        found.add(start + at, Math.min(unit, length - at));
      }
    }
    return found.build();
  }

  private boolean holdsData(long start, int length) throws IOException {
    return disk.extents(start, length).stream().anyMatch(e -> e.status() == Status.DATA);
  }

  private static boolean differs(DigestRun run, long offset, int at, int length, Scratch scratch) {
    if (run.kind() == DigestRun.Kind.ZERO) {
      for (int i = at; i < at + length; i++) {
        if (scratch.content.get(i) != 0) {
          return true;
        }
      }
      return false;
    }
    scratch.digest.digest(offset, scratch.content.slice(at, length), scratch.found, 0);
    int expected = (int) ((offset - run.start()) / run.unit()) * ContentDigest.LENGTH;
    for (int i = 0; i < ContentDigest.LENGTH; i++) {
      if (run.digests().get(expected + i) != scratch.found[i]) {
        return true;
      }
    }
    return false;
  }
}
