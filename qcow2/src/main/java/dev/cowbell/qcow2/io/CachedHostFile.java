package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;

/** A file whose data goes through a {@link Transfer} and the kernel's cache, unaligned. */
final class CachedHostFile extends ForwardingHostFile {
  private final Transfer transfer;

  CachedHostFile(ChannelHostFile file, Transfer transfer) {
    super(file);
    this.transfer = transfer;
  }

  @Override
  public int read(long at, ByteBuffer dst) throws IOException {
    int start = dst.position();
    if (dst.isDirect()) {
      try {
        long address = MemorySegment.ofBuffer(dst).address();
        int length = dst.remaining();
        for (int done = 0, got = 1; done < length && got > 0; done += got) {
          got = receive(address + done, at + done, length - done);
          dst.position(start + done + got);
        }
      } finally {
        Reference.reachabilityFence(dst);
      }
    } else {
      readThroughNative(at, dst);
    }
    return dst.position() - start;
  }

  private void readThroughNative(long at, ByteBuffer dst) throws IOException {
    MemorySegment buffer = NativeBuffers.take();
    try {
      long position = at;
      while (dst.hasRemaining()) {
        int wanted = Math.min(NativeBuffers.SIZE, dst.remaining());
        int got = receive(buffer.address(), position, wanted);
        if (got == 0) {
          return;
        }
        dst.put(buffer.asSlice(0, got).asByteBuffer());
        position += got;
      }
    } finally {
      NativeBuffers.giveBack(buffer);
    }
  }

  private int receive(long address, long at, int length) throws IOException {
    int got = transfer.read(address, at, length);
    // Some file systems refuse offsets that no file can have, rather than say that it ends before.
    return got == -Libc.EINVAL && at >= size() ? 0 : checked(got, "reading", at);
  }

  @Override
  public void write(long at, ByteBuffer src) throws IOException {
    int start = src.position();
    if (src.isDirect()) {
      try {
        send(MemorySegment.ofBuffer(src).address(), at, src.remaining());
        src.position(src.limit());
      } finally {
        Reference.reachabilityFence(src);
      }
      return;
    }
    MemorySegment buffer = NativeBuffers.take();
    try {
      while (src.hasRemaining()) {
        long position = at + src.position() - start;
        int length = Math.min(NativeBuffers.SIZE, src.remaining());
        buffer.asByteBuffer().put(src.slice(src.position(), length));
        send(buffer.address(), position, length);
        src.position(src.position() + length);
      }
    } finally {
      NativeBuffers.giveBack(buffer);
    }
  }

  private void send(long address, long at, int length) throws IOException {
    for (int done = 0; done < length; ) {
      int sent = checked(transfer.write(address + done, at + done, length - done), "writing", at);
      if (sent == 0) {
        throw new IOException(name() + ": writing at " + (at + done) + ": nothing was written");
      }
      done += sent;
    }
  }

  @Override
  public void close() throws IOException {
    try {
      transfer.close();
    } finally {
      super.close();
    }
  }
}
