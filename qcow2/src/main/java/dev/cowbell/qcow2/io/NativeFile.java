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
  private static final int STATFS_SIZE = 256;
  private static final long EXT4 = 0xef53;
  private static final int AT_EMPTY_PATH = 0x1000;
  private static final int STATX_BLOCKS = 0x400;
  private static final int STATX_SIZE = 256;
  private static final int STATX_MASK_AT = 0;
  private static final int STATX_BLOCKS_AT = 0x30;
  private static final int STATX_BLOCK = 512;

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
      long name = arena.allocateFrom(path.toString()).address();
      int fd = Libc.callInt(Libc.OPEN, name, flags, 0, 0, 0);
      if (fd < 0) {
        throw Libc.failure(path + ": open", -fd);
      }
      return new NativeFile(fd);
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
    return Libc.callInt(Libc.FALLOCATE, fd, KEEP_SIZE_PUNCH_HOLE, at, length, 0) == 0;
  }

  /** Makes the file so many bytes long; what is new reads as zeroes. */
  void truncate(long size) throws IOException {
    int result = Libc.callInt(Libc.FTRUNCATE, fd, size, 0, 0, 0);
    if (result != 0) {
      throw Libc.failure("resizing to " + size + " bytes", -result);
    }
  }

  /** The bytes that the file takes of its file system; -1 where that is not told. */
  long storedBytes() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stat = arena.allocate(STATX_SIZE, Long.BYTES);
      long empty = arena.allocateFrom("").address();
      int result = Libc.callInt(Libc.STATX, fd, empty, AT_EMPTY_PATH, STATX_BLOCKS, stat.address());
      boolean told =
          result == 0 && (stat.get(ValueLayout.JAVA_INT, STATX_MASK_AT) & STATX_BLOCKS) != 0;
      return told ? stat.get(ValueLayout.JAVA_LONG, STATX_BLOCKS_AT) * STATX_BLOCK : -1;
    }
  }

  /** Whether the file system is ext4, or one of its elders, which have the same number. */
  boolean isOnExt4() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment answer = arena.allocate(STATFS_SIZE, Long.BYTES);
      return Libc.callInt(Libc.FSTATFS, fd, answer.address(), 0, 0, 0) == 0
          && answer.get(ValueLayout.JAVA_LONG, 0) == EXT4;
    }
  }

  int descriptor() {
    return fd;
  }

  @Override
  public int read(long address, long at, int length) {
    return (int) Libc.callLong(Libc.PREAD, fd, address, length, at, 0, 0);
  }

  @Override
  public int write(long address, long at, int length) {
    return (int) Libc.callLong(Libc.PWRITE, fd, address, length, at, 0, 0);
  }

  /**
   * Has the file system take space for a range; false where it can't do so.
   *
   * @throws IOException if it failed for another reason, such as a full disk
   */
  boolean allocate(long at, long length) throws IOException {
    int result = Libc.callInt(Libc.FALLOCATE, fd, 0, at, length, 0);
    return switch (-result) {
      case 0 -> true;
      case ENODEV, Libc.ENOSYS, Libc.EOPNOTSUPP -> false;
      default -> throw Libc.failure("allocating %d bytes at %d".formatted(length, at), -result);
    };
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      Libc.callInt(Libc.CLOSE, fd, 0, 0, 0, 0);
    }
  }

  private long seek(long at, int whence) throws IOException {
    long found = Libc.callLong(Libc.LSEEK, fd, at, whence, 0, 0, 0);
    if (found < 0 && found != -Libc.ENXIO) {
      throw new IOException("lseek: " + Libc.describe((int) -found));
    }
    return found < 0 ? -1 : found;
  }

  private enum Outcome {
    DONE,
    HELD,
    FAILED_BUSY,
    FAILED
  }

  private Outcome fcntl(int command, short type, long at) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment flock = arena.allocate(Libc.FLOCK_SIZE, Long.BYTES);
      flock.set(ValueLayout.JAVA_SHORT, Libc.L_TYPE, type);
      flock.set(ValueLayout.JAVA_LONG, Libc.L_START, at);
      flock.set(ValueLayout.JAVA_LONG, Libc.L_LEN, 1);
      int result = Libc.callInt(Libc.FCNTL, fd, command, flock.address(), 0, 0);
      if (result != 0) {
        return result == -Libc.EAGAIN || result == -Libc.EACCES
            ? Outcome.FAILED_BUSY
            : Outcome.FAILED;
      }
      boolean held =
          command == F_OFD_GETLK && flock.get(ValueLayout.JAVA_SHORT, Libc.L_TYPE) != F_UNLCK;
      return held ? Outcome.HELD : Outcome.DONE;
    }
  }
}
