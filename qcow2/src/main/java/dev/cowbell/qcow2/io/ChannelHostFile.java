package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file or block device behind a {@link FileChannel}. Never interrupt a thread that uses it. */
public final class ChannelHostFile implements HostFile {
  private static final int ZEROES = 1 << 20;

  private final String name;
  private final FileChannel channel;

  private ChannelHostFile(String name, FileChannel channel) {
    this.name = name;
    this.channel = channel;
  }

  /** Takes over a channel: closing this closes it. */
  public static ChannelHostFile adopt(String name, FileChannel channel) {
    return new ChannelHostFile(name, channel);
  }

  /** Opens an existing file for reading. */
  public static ChannelHostFile openReadOnly(Path path) throws IOException {
    return open(path, StandardOpenOption.READ);
  }

  /** Opens an existing file for reading and writing. */
  public static ChannelHostFile openWritable(Path path) throws IOException {
    return open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
  }

  /** Creates a file for reading and writing; it must not exist. */
  public static ChannelHostFile createNew(Path path) throws IOException {
    return open(
        path, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
  }

  private static ChannelHostFile open(Path path, OpenOption... options) throws IOException {
    return new ChannelHostFile(path.toString(), FileChannel.open(path, options));
  }

  @Override
  public String name() {
    return name;
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
  public void write(long at, ByteBuffer src) throws IOException {
    int start = src.position();
    while (src.hasRemaining()) {
      channel.write(src, at + src.position() - start);
    }
  }

  @Override
  public void resize(long size) throws IOException {
    long present = size();
    if (size < present) {
      channel.truncate(size);
    } else if (size > present) {
      // FileChannel can't grow a file but by writing its last byte.
      channel.write(ByteBuffer.allocate(1), size - 1);
    }
  }

  @Override
  public void punchHole(long at, long length) throws IOException {
    long end = Math.min(at + length, size());
    ByteBuffer zeroes = ByteBuffer.allocateDirect((int) Math.min(ZEROES, Math.max(0, end - at)));
    for (long position = at; position < end; position += zeroes.limit()) {
      zeroes.clear().limit((int) Math.min(zeroes.capacity(), end - position));
      write(position, zeroes);
    }
  }

  @Override
  public void flush() throws IOException {
    channel.force(true);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
