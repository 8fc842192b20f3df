package dev.cowbell.qcow2.io;

import java.io.Closeable;
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
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A file descriptor of our own and what Java has no words for: locks of an open file description,
 * holes. Linux on 64-bit machines only; elsewhere {@link #AVAILABLE} is false.
 */
final class NativeFile implements Closeable {
  static final boolean AVAILABLE =
      System.getProperty("os.name").equals("Linux") && ValueLayout.ADDRESS.byteSize() == 8;

  private static final int O_RDONLY = 0;
  private static final int O_RDWR = 2;
  private static final int O_CLOEXEC = 0x80000;
  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;
  private static final int F_OFD_GETLK = 36;
  private static final int F_OFD_SETLK = 37;
  private static final short F_RDLCK = 0;
  private static final short F_WRLCK = 1;
  private static final short F_UNLCK = 2;
  private static final int KEEP_SIZE_PUNCH_HOLE = 1 | 2;
  private static final int EACCES = 13;
  private static final int EAGAIN = 11;
  private static final int ENXIO = 6;

  private final int fd;
  private final AtomicBoolean closed = new AtomicBoolean();

  private NativeFile(int fd) {
    this.fd = fd;
  }

  static NativeFile open(Path path, boolean writable) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment errno = arena.allocate(Calls.ERRNO);
      int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC;
      int fd = (int) Calls.OPEN.invokeExact(errno, arena.allocateFrom(path.toString()), flags);
      if (fd < 0) {
        throw new IOException(path + ": open failed, errno " + Calls.errno(errno));
      }
      return new NativeFile(fd);
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      throw new LinkageError("open", e);
    }
  }

  /** The path under which the same file can be opened again, whatever happened to its name. */
  Path reopenPath() {
    return Path.of("/proc/self/fd/" + fd);
  }

  /** Takes a shared lock on one byte; false when somebody holds an exclusive one. */
  boolean lockShared(long at) throws IOException {
    return switch (fcntl(F_OFD_SETLK, F_RDLCK, at)) {
      case DONE, HELD -> true;
      case FAILED_BUSY -> false;
      case FAILED -> throw new IOException("byte " + at + " can't be locked");
    };
  }

  void unlock(long at) {
    if (!closed.get()) {
      fcntl(F_OFD_SETLK, F_UNLCK, at);
    }
  }

  /** Whether another open file description has any lock on one byte. */
  boolean isLockedByAnother(long at) {
    return fcntl(F_OFD_GETLK, F_WRLCK, at) == Outcome.HELD;
  }

  /** Whether locks work on this file at all. */
  boolean supportsLocks() {
    return fcntl(F_OFD_GETLK, F_WRLCK, 0) != Outcome.FAILED;
  }

  /** SEEK_DATA: the next data at or behind {@code at}, -1 when there is none up to the end. */
  long seekData(long at) throws IOException {
    return seek(at, SEEK_DATA);
  }

  /** SEEK_HOLE: the next hole at or behind {@code at}; the file's end counts as one. */
  long seekHole(long at) throws IOException {
    return seek(at, SEEK_HOLE);
  }

  /** Gives a range back to the file system; false where that isn't possible. */
  boolean punchHole(long at, long length) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment errno = arena.allocate(Calls.ERRNO);
      return (int) Calls.FALLOCATE.invokeExact(errno, fd, KEEP_SIZE_PUNCH_HOLE, at, length) == 0;
    } catch (Throwable e) {
      throw new LinkageError("fallocate", e);
    }
  }

  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    try {
      int ignored = (int) Calls.CLOSE.invokeExact(fd);
    } catch (Throwable e) {
      throw new LinkageError("close", e);
    }
  }

  private long seek(long at, int whence) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment errno = arena.allocate(Calls.ERRNO);
      long found = (long) Calls.LSEEK.invokeExact(errno, fd, at, whence);
      if (found < 0 && Calls.errno(errno) != ENXIO) {
        throw new IOException("lseek failed, errno " + Calls.errno(errno));
      }
      return found < 0 ? -1 : found;
    } catch (IOException e) {
      throw e;
    } catch (Throwable e) {
      throw new LinkageError("lseek", e);
    }
  }

  private enum Outcome {
    DONE,
    HELD,
    FAILED_BUSY,
    FAILED
  }

  private Outcome fcntl(int command, short type, long at) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment errno = arena.allocate(Calls.ERRNO);
      MemorySegment flock = arena.allocate(Calls.FLOCK);
      Calls.L_TYPE.set(flock, 0L, type);
      Calls.L_START.set(flock, 0L, at);
      Calls.L_LEN.set(flock, 0L, 1L);
      int result = (int) Calls.FCNTL.invokeExact(errno, fd, command, flock);
      if (result != 0) {
        int code = Calls.errno(errno);
        return code == EAGAIN || code == EACCES ? Outcome.FAILED_BUSY : Outcome.FAILED;
      }
      boolean held = command == F_OFD_GETLK && (short) Calls.L_TYPE.get(flock, 0L) != F_UNLCK;
      return held ? Outcome.HELD : Outcome.DONE;
    } catch (Throwable e) {
      throw new LinkageError("fcntl", e);
    }
  }

  /** The C library's functions; apart, so that nothing is linked where it isn't used. */
  private static final class Calls {
    static final StructLayout ERRNO = Linker.Option.captureStateLayout();

    /** {@code struct flock} of 64-bit Linux. */
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

    private static final VarHandle ERRNO_VALUE =
        ERRNO.varHandle(MemoryLayout.PathElement.groupElement("errno"));

    static final MethodHandle OPEN =
        call(
            "open",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
            Linker.Option.captureCallState("errno"),
            Linker.Option.firstVariadicArg(2));
    static final MethodHandle FCNTL =
        call(
            "fcntl",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS),
            Linker.Option.captureCallState("errno"),
            Linker.Option.firstVariadicArg(2));
    static final MethodHandle LSEEK =
        call(
            "lseek",
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT),
            Linker.Option.captureCallState("errno"));
    static final MethodHandle FALLOCATE =
        call(
            "fallocate",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG),
            Linker.Option.captureCallState("errno"));
    static final MethodHandle CLOSE =
        call("close", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

    static int errno(MemorySegment captured) {
      return (int) ERRNO_VALUE.get(captured, 0L);
    }

    private static VarHandle flockField(String name) {
      return FLOCK.varHandle(MemoryLayout.PathElement.groupElement(name));
    }

    // A wrong descriptor would crash the process; the tests call every one of them.
    @SuppressWarnings("restricted")
    private static MethodHandle call(
        String name, FunctionDescriptor type, Linker.Option... options) {
      Linker linker = Linker.nativeLinker();
      return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type, options);
    }
  }
}
