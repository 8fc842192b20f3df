package dev.cowbell.qcow2.io;

import dev.cowbell.qcow2.ImageLockedException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/** A file or block device behind a {@link FileChannel}. Never interrupt a thread that uses it. */
public final class ChannelHostFile implements HostFile {
  private static final int ZEROES = 1 << 20;
  private static final int S_IFMT = 0xf000;
  private static final int S_IFREG = 0x8000;
  private static final int S_IFBLK = 0x6000;

  private final String name;
  private final FileChannel channel;

  /** The same file once more, for locks and holes; where the platform has them. */
  private final @Nullable NativeFile own;

  /** Given back explicitly: a child process that is just starting may share the descriptor. */
  private final @Nullable ImageLock lock;

  private final Object identity;
  private final boolean device;

  private ChannelHostFile(
      String name,
      FileChannel channel,
      @Nullable NativeFile own,
      @Nullable ImageLock lock,
      @Nullable Object identity,
      boolean device) {
    this.name = name;
    this.channel = channel;
    this.own = own;
    this.lock = lock;
    this.identity = identity == null ? channel : identity;
    this.device = device;
  }

  /** Takes over a channel: closing this closes it. */
  public static ChannelHostFile adopt(String name, FileChannel channel) {
    return new ChannelHostFile(name, channel, null, null, null, false);
  }

  /**
   * Opens an existing file or block device and holds QEMU's image locks on it until it is closed.
   *
   * @throws ImageLockedException if another process uses the file in a way that rules this out
   */
  public static ChannelHostFile open(Path path, ImageLock.Use use) throws IOException {
    if (use.writes()) {
      return open(path, use, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }
    return open(path, use, StandardOpenOption.READ);
  }

  /** Opens an existing file or block device for reading, with no look at anybody's locks. */
  public static ChannelHostFile openReadOnly(Path path) throws IOException {
    return open(path, ImageLock.Use.READ_UNSAFE);
  }

  /** Opens an existing file or block device for reading and writing, with no look at locks. */
  public static ChannelHostFile openWritable(Path path) throws IOException {
    return open(path, ImageLock.Use.READ_UNSAFE, StandardOpenOption.READ, StandardOpenOption.WRITE);
  }

  /** Creates a file for reading and writing; it must not exist. Nobody else knows it yet. */
  public static ChannelHostFile createNew(Path path) throws IOException {
    Files.createFile(path);
    return openWritable(path);
  }

  private static ChannelHostFile open(Path path, ImageLock.Use use, OpenOption... options)
      throws IOException {
    refuseWhatIsNoFile(path);
    if (!NativeFile.AVAILABLE) {
      FileChannel channel = FileChannel.open(path, options);
      return new ChannelHostFile(path.toString(), channel, null, null, path.toRealPath(), false);
    }
    // The channel is opened through the descriptor, so that locks and data belong to one file even
    // when its name changes hands in between. Opening by name first gives the better messages.
    FileChannel.open(path, options).close();
    NativeFile own = NativeFile.open(path, options.length > 1);
    try {
      ImageLock lock = ImageLock.acquire(own, path.toString(), use);
      Object key = Files.readAttributes(own.reopenPath(), BasicFileAttributes.class).fileKey();
      boolean device = type(own.reopenPath()) == S_IFBLK;
      FileChannel channel = FileChannel.open(own.reopenPath(), options);
      return new ChannelHostFile(path.toString(), channel, own, lock, key, device);
    } catch (IOException | RuntimeException e) {
      own.close();
      throw e;
    }
  }

  /** A FIFO would keep the opener waiting for somebody to write to it; /dev/zero has no end. */
  private static void refuseWhatIsNoFile(Path path) throws IOException {
    if (Files.notExists(path)) {
      throw new NoSuchFileException(path.toString());
    }
    int type = NativeFile.AVAILABLE ? type(path) : S_IFREG;
    if (type != S_IFREG && type != S_IFBLK) {
      throw new IOException(path + ": neither a regular file nor a block device");
    }
  }

  private static int type(Path path) throws IOException {
    return (int) Files.getAttribute(path, "unix:mode") & S_IFMT;
  }

  /** The descriptor that holds the locks; for other ways to the same file. */
  NativeFile descriptor() {
    if (own == null) {
      throw new UnsupportedOperationException(name + ": only on 64-bit Linux");
    }
    return own;
  }

  /** Whether it is a file of an ext4 file system, as far as is known. */
  boolean isOnExt4() {
    return own != null && own.isOnExt4();
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Object identity() {
    return identity;
  }

  @Override
  public long size() throws IOException {
    return channel.size();
  }

  @Override
  public int read(long at, ByteBuffer dst) throws IOException {
    int start = dst.position();
    while (dst.hasRemaining()) {
      int read = channel.read(dst, at + dst.position() - start);
      if (read < 0) {
        break;
      }
    }
    return dst.position() - start;
  }

  @Override
  public long nextData(long at) throws IOException {
    if (own == null) {
      return at;
    }
    long data = own.seekData(at);
    return data < 0 ? size() : data;
  }

  @Override
  public long nextHole(long at) throws IOException {
    if (own == null) {
      return size();
    }
    long hole = own.seekHole(at);
    return hole < 0 ? size() : hole;
  }

  @Override
  public long storedBytes() throws IOException {
    long stored = own == null ? -1 : own.storedBytes();
    return stored < 0 ? HostFile.super.storedBytes() : stored;
  }

  @Override
  public void write(long at, ByteBuffer src) throws IOException {
    int start = src.position();
    while (src.hasRemaining()) {
      channel.write(src, at + src.position() - start);
    }
  }

  @Override
  public void resize(long size) throws IOException {
    long present = size();
    if (device) {
      checkDevice(name, present, size);
    } else if (own != null && size != present) {
      own.truncate(size);
    } else if (size < present) {
      channel.truncate(size);
    } else if (size > present) {
      // FileChannel can't grow a file but by writing its last byte.
      channel.write(ByteBuffer.allocate(1), size - 1);
    }
  }

  /** A device stays as long as it is; as in QEMU, a use of less of it needs nothing. */
  static void checkDevice(String name, long present, long wanted) throws IOException {
    if (wanted > present) {
      throw new IOException(
          "%s: a block device can't grow; it has %d bytes, needed are %d"
              .formatted(name, present, wanted));
    }
  }

  @Override
  public void punchHole(long at, long length) throws IOException {
    long end = Math.min(at + length, size());
    if (at >= end || (own != null && own.punchHole(at, end - at))) {
      return;
    }
    ByteBuffer zeroes = ByteBuffer.allocateDirect((int) Math.min(ZEROES, end - at));
    for (long position = at; position < end; position += zeroes.limit()) {
      zeroes.clear().limit((int) Math.min(zeroes.capacity(), end - position));
      write(position, zeroes);
    }
  }

  @Override
  public boolean allocate(long at, long length) throws IOException {
    return own != null && own.allocate(at, length);
  }

  @Override
  public void flush() throws IOException {
    channel.force(true);
  }

  @Override
  public void close() throws IOException {
    try {
      channel.close();
    } finally {
      if (lock != null) {
        lock.close();
      }
      if (own != null) {
        own.close();
      }
    }
  }
}
