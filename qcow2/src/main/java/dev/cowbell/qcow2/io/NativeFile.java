package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A file descriptor of our own and what Java has no words for: locks of an open file description,
 * holes, direct I/O. Linux on 64-bit machines only; elsewhere {@link #AVAILABLE} is false.
 */
final class NativeFile implements Transfer {
  static final boolean AVAILABLE =
      System.getProperty("os.name").equals("Linux") && ValueLayout.ADDRESS.byteSize() == 8;

  private static final int O_RDONLY = 0;
  private static final int O_RDWR = 2;
  private static final int O_CLOEXEC = 0x80000;
  private static final int O_DIRECT =
      System.getProperty("os.arch").equals("aarch64") ? 0x10000 : 0x4000;
  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;
  private static final int F_OFD_GETLK = 36;
  private static final int F_OFD_SETLK = 37;
  private static final short F_RDLCK = 0;
  private static final short F_WRLCK = 1;
  private static final short F_UNLCK = 2;
  private static final int KEEP_SIZE_PUNCH_HOLE = 1 | 2;
  private static final int ENODEV = 19;

  private final int fd;
  private final AtomicBoolean closed = new AtomicBoolean();

  private NativeFile(int fd) {
    this.fd = fd;
  }

  static NativeFile open(Path path, boolean writable) throws IOException {
    return open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  }

  /**
   * The same file opened once more, past the kernel's cache.
   *
   * @throws IOException if the file system refuses that
   */
  NativeFile reopenDirect(String name, boolean writable) throws IOException {
    int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_DIRECT;
    try {
      return open(reopenPath(), flags);
    } catch (IOException e) {
      throw new IOException(name + ": its file system refuses direct I/O (O_DIRECT)", e);
    }
  }

  private static NativeFile open(Path path, int flags) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment errno = Libc.errnoBuffer();
      int fd = (int) Libc.OPEN.invokeExact(errno, arena.allocateFrom(path.toString()), flags);
      if (fd < 0) {
        throw Libc.failure(path + ": open", Libc.errno(errno));
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
    try {
      MemorySegment errno = Libc.errnoBuffer();
      return (int) Libc.FALLOCATE.invokeExact(errno, fd, KEEP_SIZE_PUNCH_HOLE, at, length) == 0;
    } catch (Throwable e) {
      throw new LinkageError("fallocate", e);
    }
  }

  /** Makes the file so many bytes long; what is new reads as zeroes. */
  void truncate(long size) throws IOException {
    MemorySegment errno = Libc.errnoBuffer();
    int result;
    try {
      result = (int) Libc.FTRUNCATE.invokeExact(errno, fd, size);
    } catch (Throwable e) {
      throw new LinkageError("ftruncate", e);
    }
    if (result != 0) {
      throw Libc.failure("resizing to " + size + " bytes", Libc.errno(errno));
    }
  }

  int descriptor() {
    return fd;
  }

  @Override
  public int read(long address, long at, int length) {
    MemorySegment errno = Libc.errnoBuffer();
    try {
      long done = (long) Libc.PREAD.invokeExact(errno, fd, address, (long) length, at);
      return done < 0 ? -Libc.errno(errno) : (int) done;
    } catch (Throwable e) {
      throw new LinkageError("pread", e);
    }
  }

  @Override
  public int write(long address, long at, int length) {
    MemorySegment errno = Libc.errnoBuffer();
    try {
      long done = (long) Libc.PWRITE.invokeExact(errno, fd, address, (long) length, at);
      return done < 0 ? -Libc.errno(errno) : (int) done;
    } catch (Throwable e) {
      throw new LinkageError("pwrite", e);
    }
  }

  /**
   * Has the file system take space for a range; false where it can't do so.
   *
   * @throws IOException if it failed for another reason, such as a full disk
   */
  boolean allocate(long at, long length) throws IOException {
    int code;
    try {
      MemorySegment errno = Libc.errnoBuffer();
      if ((int) Libc.FALLOCATE.invokeExact(errno, fd, 0, at, length) == 0) {
        return true;
      }
      code = Libc.errno(errno);
    } catch (Throwable e) {
      throw new LinkageError("fallocate", e);
    }
    return switch (code) {
      case ENODEV, Libc.ENOSYS, Libc.EOPNOTSUPP -> false;
      default -> throw Libc.failure("allocating %d bytes at %d".formatted(length, at), code);
    };
  }

  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    try {
      int ignored = (int) Libc.CLOSE.invokeExact(fd);
    } catch (Throwable e) {
      throw new LinkageError("close", e);
    }
  }

  private long seek(long at, int whence) throws IOException {
    try {
      MemorySegment errno = Libc.errnoBuffer();
      long found = (long) Libc.LSEEK.invokeExact(errno, fd, at, whence);
      if (found < 0 && Libc.errno(errno) != Libc.ENXIO) {
        throw new IOException("lseek: " + Libc.describe(Libc.errno(errno)));
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
      MemorySegment errno = Libc.errnoBuffer();
      MemorySegment flock = arena.allocate(Libc.FLOCK);
      Libc.L_TYPE.set(flock, 0L, type);
      Libc.L_START.set(flock, 0L, at);
      Libc.L_LEN.set(flock, 0L, 1L);
      int result = (int) Libc.FCNTL.invokeExact(errno, fd, command, flock);
      if (result != 0) {
        int code = Libc.errno(errno);
        return code == Libc.EAGAIN || code == Libc.EACCES ? Outcome.FAILED_BUSY : Outcome.FAILED;
      }
      boolean held = command == F_OFD_GETLK && (short) Libc.L_TYPE.get(flock, 0L) != F_UNLCK;
      return held ? Outcome.HELD : Outcome.DONE;
    } catch (Throwable e) {
      throw new LinkageError("fcntl", e);
    }
  }
}
