package dev.cowbell.qcow2.io;

import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * An io_uring of the kernel: the memory shared with it, and its three system calls. Knows nothing
 * of who waits for what; {@link RingTransfer} does.
 */
final class Ring implements Closeable {
  static final byte OP_READ = 22;
  static final byte OP_WRITE = 23;

  private static final int SETUP = 425;
  private static final int ENTER = 426;
  private static final int GET_EVENTS_BEFORE =
      1 | 1 << 3; // IORING_ENTER_EXT_ARG brings a time limit

  private static final long PARAMS_SIZE = 120;
  private static final int FEATURES_AT = 20;
  private static final int WAIT_SIZE = 24;
  private static final int WAIT_TIME_AT = 16;
  private static final long LONGEST_WAIT_SECONDS = 1;
  private static final int SQ_OFFSETS_AT = 40;
  private static final int CQ_OFFSETS_AT = 80;

  /** IORING_FEAT_SINGLE_MMAP, IORING_FEAT_RW_CUR_POS and, in 5.11, IORING_FEAT_EXT_ARG. */
  private static final int NEEDED_FEATURES = 1 | 1 << 3 | 1 << 8;

  private static final long RINGS_MAPPING = 0;
  private static final long SQES_MAPPING = 0x1000_0000L;
  private static final int READ_WRITE = 3;
  private static final int SHARED_POPULATE = 0x8001;
  private static final int SQE_SIZE = 64;
  private static final int CQE_SIZE = 16;

  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
  private static final VarHandle WORD = INT.varHandle();

  /** Receives what is done. */
  @FunctionalInterface
  interface Completions {
    void done(long userData, int result);
  }

  private final int fd;
  private final MemorySegment rings;
  private final MemorySegment sqes;

  /** {@code struct io_uring_getevents_arg}, and the time that it refers to. */
  private final MemorySegment wait =
      Arena.ofAuto().allocate(WAIT_SIZE + 2 * Long.BYTES, Long.BYTES);

  private final int sqHead;
  private final int sqTail;
  private final int sqMask;
  private final int cqHead;
  private final int cqTail;
  private final int cqMask;
  private final int cqes;

  private Ring(int fd, MemorySegment params) throws IOException {
    this.fd = fd;
    int entries = params.get(INT, 0);
    int sqArray = params.get(INT, SQ_OFFSETS_AT + 24);
    cqes = params.get(INT, CQ_OFFSETS_AT + 20);
    long size = Math.max(sqArray + 4L * entries, cqes + (long) CQE_SIZE * params.get(INT, 4));
    rings = map(fd, size, RINGS_MAPPING);
    try {
      sqes = map(fd, (long) SQE_SIZE * entries, SQES_MAPPING);
    } catch (IOException e) {
      unmap(rings);
      throw e;
    }
    wait.set(LONG, WAIT_TIME_AT, wait.address() + WAIT_SIZE);
    wait.set(LONG, WAIT_SIZE, LONGEST_WAIT_SECONDS);
    sqHead = params.get(INT, SQ_OFFSETS_AT);
    sqTail = params.get(INT, SQ_OFFSETS_AT + 4);
    sqMask = rings.get(INT, params.get(INT, SQ_OFFSETS_AT + 8));
    cqHead = params.get(INT, CQ_OFFSETS_AT);
    cqTail = params.get(INT, CQ_OFFSETS_AT + 4);
    cqMask = rings.get(INT, params.get(INT, CQ_OFFSETS_AT + 8));
    for (int i = 0; i < entries; i++) {
      rings.set(INT, sqArray + 4L * i, i);
    }
  }

  /**
   * Sets a ring up.
   *
   * @param entries how many requests may be under way, a power of two
   * @throws IOException if the kernel, its settings or a seccomp policy forbid it
   */
  static Ring open(int entries) throws IOException {
    if (!NativeFile.AVAILABLE) {
      throw new IOException("io_uring: only on 64-bit Linux");
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment params = arena.allocate(PARAMS_SIZE, Long.BYTES);
      long fd = Libc.syscall(SETUP, entries, params.address(), 0, 0, 0, 0);
      if (fd < 0) {
        throw Libc.failure("io_uring can't be used here: io_uring_setup", (int) -fd);
      }
      try {
        if ((params.get(INT, FEATURES_AT) & NEEDED_FEATURES) != NEEDED_FEATURES) {
          throw new IOException("io_uring can't be used here: the kernel is older than 5.11");
        }
        return new Ring((int) fd, params);
      } catch (IOException | RuntimeException e) {
        closeDescriptor((int) fd);
        throw e;
      }
    }
  }

  /**
   * Writes a request down for the kernel; one thread at a time, and never more than entries.
   *
   * @return the request's place in line, for {@link #hasTaken}
   */
  int prepare(byte operation, int file, long at, long address, int length, long userData) {
    int tail = (int) WORD.get(rings, (long) sqTail);
    long sqe = (long) (tail & sqMask) * SQE_SIZE;
    sqes.asSlice(sqe, SQE_SIZE).fill((byte) 0);
    sqes.set(ValueLayout.JAVA_BYTE, sqe, operation);
    sqes.set(INT, sqe + 4, file);
    sqes.set(LONG, sqe + 8, at);
    sqes.set(LONG, sqe + 16, address);
    sqes.set(INT, sqe + 24, length);
    sqes.set(LONG, sqe + 32, userData);
    WORD.setRelease(rings, (long) sqTail, tail + 1);
    return tail;
  }

  /** Whether the kernel took a request, and so may use its memory until it says it is done. */
  boolean hasTaken(int place) {
    return (int) WORD.getAcquire(rings, (long) sqHead) - place > 0;
  }

  /**
   * Hands prepared requests to the kernel, and waits until something is done if told to, a second
   * at most. May come back early without anything being done.
   *
   * @return how many were taken; or the negated errno of a failure that the next call would meet,
   *     too
   */
  int enter(int prepared, boolean waiting) {
    long result =
        waiting
            ? Libc.syscall(ENTER, fd, prepared, 1, GET_EVENTS_BEFORE, wait.address(), WAIT_SIZE)
            : Libc.syscall(ENTER, fd, prepared, 0, 0, 0, 0);
    return switch ((int) -result) {
      case Libc.EINTR, Libc.EAGAIN, Libc.EBUSY, Libc.ETIME -> 0;
      default -> (int) result;
    };
  }

  /** Hands out what is done; one thread at a time. */
  void reap(Completions completions) {
    int head = (int) WORD.get(rings, (long) cqHead);
    int tail = (int) WORD.getAcquire(rings, (long) cqTail);
    while (head != tail) {
      long cqe = cqes + (long) (head & cqMask) * CQE_SIZE;
      long userData = rings.get(LONG, cqe);
      int result = rings.get(INT, cqe + 8);
      head++;
      WORD.setRelease(rings, (long) cqHead, head);
      completions.done(userData, result);
    }
  }

  @Override
  public void close() {
    unmap(sqes);
    unmap(rings);
    closeDescriptor(fd);
  }

  @SuppressWarnings("restricted") // the kernel mapped exactly that much
  private static MemorySegment map(int fd, long size, long offset) throws IOException {
    long address = Libc.callLong(Libc.MMAP, 0, size, READ_WRITE, SHARED_POPULATE, fd, offset);
    if (address < 0) {
      throw Libc.failure("io_uring can't be used here: mmap", (int) -address);
    }
    return MemorySegment.ofAddress(address).reinterpret(size);
  }

  private static void unmap(MemorySegment mapped) {
    Libc.callInt(Libc.MUNMAP, mapped.address(), mapped.byteSize(), 0, 0, 0);
  }

  private static void closeDescriptor(int fd) {
    Libc.callInt(Libc.CLOSE, fd, 0, 0, 0, 0);
  }
}
