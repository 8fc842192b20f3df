package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** The C library's functions, as 64-bit Linux has them. Failures are negated errnos. */
final class Libc {
  static final int EPERM = 1;
  static final int EINTR = 4;
  static final int ENXIO = 6;
  static final int EAGAIN = 11;
  static final int EACCES = 13;
  static final int EBUSY = 16;
  static final int EINVAL = 22;
  static final int ENOSPC = 28;
  static final int ENOSYS = 38;
  static final int ETIME = 62;
  static final int EOPNOTSUPP = 95;

  /** {@code struct flock}: its size, and where what we use of it is. */
  static final int FLOCK_SIZE = 32;

  static final int L_TYPE = 0;
  static final int L_START = 8;
  static final int L_LEN = 16;

  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

  /**
   * The one way in which functions are called: seven words go in, one comes out. Every other way
   * would cost each start of the program some 20 ms. With the calling conventions of 64-bit Linux a
   * function takes of a word what it wants and does not look at words that it does not know; of a
   * result that is an {@code int} the upper half means nothing.
   */
  private static final FunctionDescriptor WORDS =
      FunctionDescriptor.of(LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG);

  private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");
  private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
  private static final long ERRNO_AT =
      CAPTURE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));

  /** One per thread, so that a call allocates nothing; freed after the thread is gone. */
  private static final ThreadLocal<MemorySegment> ERRNO_BUFFER =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(CAPTURE));

  static final MethodHandle OPEN = function("open");
  static final MethodHandle FCNTL = function("fcntl");
  static final MethodHandle LSEEK = function("lseek");
  static final MethodHandle FALLOCATE = function("fallocate");
  static final MethodHandle FSTATFS = function("fstatfs");
  static final MethodHandle FTRUNCATE = function("ftruncate");
  static final MethodHandle PREAD = function("pread");
  static final MethodHandle PWRITE = function("pwrite");
  static final MethodHandle MMAP = function("mmap");
  static final MethodHandle MUNMAP = function("munmap");
  static final MethodHandle STATX = function("statx");
  static final MethodHandle CLOSE = function("close");

  /** {@code long syscall(long number, …)} with six arguments, whatever the kernel makes of them. */
  private static final MethodHandle SYSCALL = function("syscall");

  private static final MethodHandle STRERROR = function("strerror");

  private Libc() {}

  /** A system call; the answer, or the negated errno. */
  static long syscall(long number, long a, long b, long c, long d, long e, long f) {
    long result = call(SYSCALL, number, a, b, c, d, e, f);
    return result == -1 ? -errno() : result;
  }

  /** Calls a function that answers with a {@code long}; the answer, or the negated errno. */
  static long callLong(MethodHandle function, long a, long b, long c, long d, long e, long f) {
    long result = call(function, a, b, c, d, e, f, 0);
    return result == -1 ? -errno() : result;
  }

  /** Calls a function that answers with an {@code int}; the answer, or the negated errno. */
  static int callInt(MethodHandle function, long a, long b, long c, long d, long e) {
    int result = (int) call(function, a, b, c, d, e, 0, 0);
    return result == -1 ? -errno() : result;
  }

  private static long call(
      MethodHandle function, long a, long b, long c, long d, long e, long f, long g) {
    try {
      return (long) function.invokeExact(ERRNO_BUFFER.get(), a, b, c, d, e, f, g);
    } catch (Throwable t) {
      throw new LinkageError("a function of the C library can't be called", t);
    }
  }

  private static int errno() {
    return ERRNO_BUFFER.get().get(ValueLayout.JAVA_INT, ERRNO_AT);
  }

  /** A failed call for people: its name where it is well known, its number, its words. */
  static IOException failure(String what, int errno) {
    return new IOException(what + ": " + describe(errno));
  }

  static String describe(int errno) {
    String name =
        switch (errno) {
          case EPERM -> "EPERM, ";
          case EACCES -> "EACCES, ";
          case EINVAL -> "EINVAL, ";
          case ENOSPC -> "ENOSPC, ";
          case ENOSYS -> "ENOSYS, ";
          case EOPNOTSUPP -> "EOPNOTSUPP, ";
          default -> "";
        };
    return "%s (%serrno %d)".formatted(words(errno), name, errno);
  }

  @SuppressWarnings("restricted") // strerror's answer is a C string, and never null
  private static String words(int errno) {
    return MemorySegment.ofAddress(call(STRERROR, errno, 0, 0, 0, 0, 0, 0))
        .reinterpret(Long.MAX_VALUE)
        .getString(0);
  }

  @SuppressWarnings("restricted") // the tests call every one of them
  private static MethodHandle function(String name) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(
        linker.defaultLookup().findOrThrow(name), WORDS, ERRNO, Linker.Option.firstVariadicArg(1));
  }
}
