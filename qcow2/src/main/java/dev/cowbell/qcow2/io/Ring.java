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
  private static final int GET_EVENTS = 1;

  private static final long PARAMS_SIZE = 120;
  private static final int FEATURES_AT = 20;
  private static final int SQ_OFFSETS_AT = 40;
  private static final int CQ_OFFSETS_AT = 80;

  /** IORING_FEAT_SINGLE_MMAP and IORING_FEAT_RW_CUR_POS: what came with plain reads, in 5.6. */
  private static final int NEEDED_FEATURES = 1 | 1 << 3;

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
          throw new IOException("io_uring can't be used here: the kernel is older than 5.6");
        }
        return new Ring((int) fd, params);
      } catch (IOException | RuntimeException e) {
        closeDescriptor((int) fd);
        throw e;
      }
    }
  }

  /** Writes a request down for the kernel; one thread at a time, and never more than entries. */
  void prepare(byte operation, int file, long at, long address, int length, long userData) {
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
  }

  /**
   * Hands prepared requests to the kernel, and waits until something is done if told to. May come
   * back early without anything being done.
   *
   * @return how many were taken
   */
  int enter(int prepared, boolean waiting) {
    long result =
        Libc.syscall(ENTER, fd, prepared, waiting ? 1 : 0, waiting ? GET_EVENTS : 0, 0, 0);
    if (result >= 0) {
      return (int) result;
    }
    int errno = (int) -result;
    if (errno != Libc.EINTR && errno != Libc.EAGAIN && errno != Libc.EBUSY) {
      // The kernel may own callers' memory now: there is no way on for those who wait.
      throw new IllegalStateException("io_uring_enter: " + Libc.describe(errno));
    }
    return 0;
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
    MemorySegment errno = Libc.errnoBuffer();
    long address;
    try {
      address =
          (long) Libc.MMAP.invokeExact(errno, 0L, size, READ_WRITE, SHARED_POPULATE, fd, offset);
    } catch (Throwable e) {
      throw new LinkageError("mmap", e);
    }
    if (address == -1) {
      throw Libc.failure("io_uring can't be used here: mmap", Libc.errno(errno));
    }
    return MemorySegment.ofAddress(address).reinterpret(size);
  }

  private static void unmap(MemorySegment mapped) {
    try {
      int ignored = (int) Libc.MUNMAP.invokeExact(mapped.address(), mapped.byteSize());
    } catch (Throwable e) {
      throw new LinkageError("munmap", e);
    }
  }

  private static void closeDescriptor(int fd) {
    try {
      int ignored = (int) Libc.CLOSE.invokeExact(fd);
    } catch (Throwable e) {
      throw new LinkageError("close", e);
    }
  }
}
