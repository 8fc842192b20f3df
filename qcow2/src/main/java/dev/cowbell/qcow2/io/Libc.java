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
import java.lang.invoke.VarHandle;

/**
 * The C library's functions, as 64-bit Linux has them. Each handle that can fail takes the calling
 * thread's {@link #errnoBuffer()} first.
 */
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

  /** {@code struct flock}. */
  static final StructLayout FLOCK =
      MemoryLayout.structLayout(
          ValueLayout.JAVA_SHORT.withName("l_type"),
          ValueLayout.JAVA_SHORT.withName("l_whence"),
          MemoryLayout.paddingLayout(4),
          ValueLayout.JAVA_LONG.withName("l_start"),
          ValueLayout.JAVA_LONG.withName("l_len"),
          ValueLayout.JAVA_INT.withName("l_pid"),
          MemoryLayout.paddingLayout(4));

  static final VarHandle L_TYPE = flockField("l_type");
  static final VarHandle L_START = flockField("l_start");
  static final VarHandle L_LEN = flockField("l_len");

  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
  private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");
  private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO_VALUE =
      CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

  /** One per thread, so that a call allocates nothing; freed after the thread is gone. */
  private static final ThreadLocal<MemorySegment> ERRNO_BUFFER =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(CAPTURE));

  static final MethodHandle OPEN =
      call(
          "open",
          FunctionDescriptor.of(INT, ValueLayout.ADDRESS, INT),
          ERRNO,
          Linker.Option.firstVariadicArg(2));
  static final MethodHandle FCNTL =
      call(
          "fcntl",
          FunctionDescriptor.of(INT, INT, INT, ValueLayout.ADDRESS),
          ERRNO,
          Linker.Option.firstVariadicArg(2));
  static final MethodHandle LSEEK =
      call("lseek", FunctionDescriptor.of(LONG, INT, LONG, INT), ERRNO);
  static final MethodHandle FALLOCATE =
      call("fallocate", FunctionDescriptor.of(INT, INT, INT, LONG, LONG), ERRNO);
  static final MethodHandle FTRUNCATE =
      call("ftruncate", FunctionDescriptor.of(INT, INT, LONG), ERRNO);
  static final MethodHandle PREAD =
      call("pread", FunctionDescriptor.of(LONG, INT, LONG, LONG, LONG), ERRNO);
  static final MethodHandle PWRITE =
      call("pwrite", FunctionDescriptor.of(LONG, INT, LONG, LONG, LONG), ERRNO);
  static final MethodHandle MMAP =
      call("mmap", FunctionDescriptor.of(LONG, LONG, LONG, INT, INT, INT, LONG), ERRNO);
  static final MethodHandle MUNMAP = call("munmap", FunctionDescriptor.of(INT, LONG, LONG));
  static final MethodHandle STATX =
      call(
          "statx",
          FunctionDescriptor.of(INT, INT, ValueLayout.ADDRESS, INT, INT, ValueLayout.ADDRESS),
          ERRNO);
  static final MethodHandle CLOSE = call("close", FunctionDescriptor.of(INT, INT));

  /** {@code long syscall(long number, …)} with six arguments, whatever the kernel makes of them. */
  static final MethodHandle SYSCALL =
      call(
          "syscall",
          FunctionDescriptor.of(LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG),
          ERRNO,
          Linker.Option.firstVariadicArg(1));

  private static final MethodHandle STRERROR =
      call("strerror", FunctionDescriptor.of(ValueLayout.ADDRESS, INT));

  private Libc() {}

  /** Where the calling thread's next call leaves its errno. */
  static MemorySegment errnoBuffer() {
    return ERRNO_BUFFER.get();
  }

  static int errno(MemorySegment captured) {
    return (int) ERRNO_VALUE.get(captured, 0L);
  }

  /** A system call; the answer, or the negated errno. */
  static long syscall(long number, long a, long b, long c, long d, long e, long f) {
    MemorySegment errno = errnoBuffer();
    try {
      long result = (long) SYSCALL.invokeExact(errno, number, a, b, c, d, e, f);
      return result == -1 ? -errno(errno) : result;
    } catch (Throwable t) {
      throw new LinkageError("syscall", t);
    }
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
    try {
      MemorySegment text = (MemorySegment) STRERROR.invokeExact(errno);
      return text.reinterpret(Long.MAX_VALUE).getString(0);
    } catch (Throwable t) {
      throw new LinkageError("strerror", t);
    }
  }

  private static VarHandle flockField(String name) {
    return FLOCK.varHandle(MemoryLayout.PathElement.groupElement(name));
  }

  // A wrong descriptor would crash the process; the tests call every one of them.
  @SuppressWarnings("restricted")
  private static MethodHandle call(String name, FunctionDescriptor type, Linker.Option... options) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type, options);
  }
}
