package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.nio.file.Path;

/** How the bytes of a file on this host are read and written. Content and locks are the same. */
public enum HostIo {
  /** Through the kernel's cache, by a file channel; everywhere. */
  CHANNEL,

  /** Past the kernel's cache (O_DIRECT); Linux, where the file system allows it. */
  DIRECT,

  /** Through the kernel's cache, by io_uring; Linux, where kernel and policies allow it. */
  IO_URING,

  /** Past the kernel's cache, by io_uring. */
  DIRECT_IO_URING,

  /** {@link #IO_URING} where it can be had, else {@link #CHANNEL}. */
  AUTO;

  /**
   * Opens an existing file or block device and holds QEMU's image locks on it until it is closed.
   *
   * @throws dev.cowbell.qcow2.ImageLockedException if another process uses the file in a way that
   *     rules this out
   * @throws IOException if the file can't be opened, or not in this way; the message says why
   */
  public HostFile open(Path path, ImageLock.Use use) throws IOException {
    ChannelHostFile channel = ChannelHostFile.open(path, use);
    if (this == CHANNEL || (this == AUTO && !NativeFile.AVAILABLE)) {
      return channel;
    }
    try {
      return over(channel, use.writes());
    } catch (IOException | RuntimeException e) {
      if (this == AUTO && e instanceof IOException) {
        return channel;
      }
      channel.close();
      throw e;
    }
  }

  /** Whether io_uring can be used in this process now. */
  public static boolean allowsIoUring() {
    try {
      SharedRing.acquire().release();
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private HostFile over(ChannelHostFile channel, boolean writable) throws IOException {
    if (!NativeFile.AVAILABLE) {
      throw new IOException(channel.name() + ": " + this + " is there on 64-bit Linux only");
    }
    NativeFile cached = channel.descriptor();
    return switch (this) {
      case CHANNEL -> channel;
      case IO_URING, AUTO -> new CachedHostFile(channel, new RingTransfer(cached, false));
      case DIRECT, DIRECT_IO_URING -> direct(channel, cached, writable);
    };
  }

  private HostFile direct(ChannelHostFile channel, NativeFile cached, boolean writable)
      throws IOException {
    NativeFile direct = cached.reopenDirect(channel.name(), writable);
    try {
      DirectAlignment alignment = DirectAlignment.of(direct, channel.name());
      Transfer transfer = this == DIRECT ? direct : new RingTransfer(direct, true);
      return new DirectHostFile(channel, transfer, alignment);
    } catch (IOException | RuntimeException e) {
      direct.close();
      throw e;
    }
  }
}
