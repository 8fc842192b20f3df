package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;

/**
 * A file read and written past the kernel's cache (O_DIRECT). Requests need no alignment: those
 * that have it go straight between the device and the caller's direct buffer, others through
 * aligned memory, and a write that begins or ends inside a block reads that block first and writes
 * it back, alone in it.
 */
final class DirectHostFile extends ForwardingHostFile {
  private final Transfer transfer;
  private final DirectAlignment alignment;
  private final int block;
  private final WriteRanges ranges = new WriteRanges();

  /**
   * @param transfer a descriptor opened for direct I/O; taken over
   */
  DirectHostFile(ChannelHostFile file, Transfer transfer, DirectAlignment alignment) {
    super(file);
    this.transfer = transfer;
    this.alignment = alignment;
    this.block = alignment.block();
  }

  private long down(long at) {
    return at & -block;
  }

  private long up(long at) {
    return (at + block - 1) & -block;
  }

  /** Waits for writes at the end: they make the file a part of a block too long for a moment. */
  @Override
  public long size() throws IOException {
    try (WriteRanges.Range _ = ranges.shared(WriteRanges.NO_END - 1, WriteRanges.NO_END)) {
      return super.size();
    }
  }

  @Override
  public void resize(long size) throws IOException {
    try (WriteRanges.Range _ = ranges.alone(0, WriteRanges.NO_END)) {
      super.resize(size);
    }
  }

  @Override
  public void punchHole(long at, long length) throws IOException {
    try (WriteRanges.Range _ = ranges.alone(pageDown(at), pageUp(at + length))) {
      super.punchHole(at, length);
    }
  }

  /** Zeroing a part of a page, or cutting it off, is done by the kernel in its cache. */
  private static long pageDown(long at) {
    return at & -NativeBuffers.ALIGNMENT;
  }

  private static long pageUp(long at) {
    return pageDown(at + NativeBuffers.ALIGNMENT - 1);
  }

  @Override
  public int read(long at, ByteBuffer dst) throws IOException {
    int start = dst.position();
    try {
      boolean reachable = dst.isDirect();
      long address = reachable ? MemorySegment.ofBuffer(dst).address() : 0;
      while (dst.hasRemaining()) {
        int done = dst.position() - start;
        boolean straight =
            reachable
                && dst.remaining() >= block
                && down(at + done) == at + done
                && alignment.allowsMemory(address + done);
        int got =
            straight ? readStraight(at + done, address + done, dst) : readBlocks(at + done, dst);
        if (got == 0) {
          break;
        }
      }
    } finally {
      Reference.reachabilityFence(dst);
    }
    return dst.position() - start;
  }

  private int readStraight(long at, long address, ByteBuffer dst) throws IOException {
    int got = receive(address, at, (int) down(dst.remaining()));
    dst.position(dst.position() + got);
    return got;
  }

  /** Reads the blocks around the next bytes, as many as fit, and takes out what is wanted. */
  private int readBlocks(long at, ByteBuffer dst) throws IOException {
    MemorySegment buffer = NativeBuffers.take();
    try {
      int before = (int) (at - down(at));
      int wanted = (int) Math.min(NativeBuffers.SIZE, up((long) before + dst.remaining()));
      int got = receive(buffer.address(), at - before, wanted);
      int useful = Math.clamp(got - before, 0, dst.remaining());
      dst.put(buffer.asSlice(Math.min(before, got), useful).asByteBuffer());
      return useful;
    } finally {
      NativeBuffers.giveBack(buffer);
    }
  }

  private int receive(long address, long at, int length) throws IOException {
    int got = transfer.read(address, at, length);
    // Offsets that no file can have are refused; to us they are behind the end as any others.
    return got == -Libc.EINVAL && at >= super.size() ? 0 : checked(got, "direct read", at);
  }

  @Override
  public void write(long at, ByteBuffer src) throws IOException {
    if (!src.hasRemaining()) {
      return;
    }
    long end = at + src.remaining();
    if (down(at) == at && down(end) == end) {
      try (WriteRanges.Range _ = ranges.shared(pageDown(at), pageUp(end))) {
        writeWhole(at, src);
      }
      return;
    }
    boolean done = false;
    long reach = up(end) > super.size() ? WriteRanges.NO_END : pageUp(end);
    while (!done) {
      try (WriteRanges.Range _ = ranges.alone(pageDown(at), reach)) {
        boolean extending = up(end) > super.size();
        // The file may have been cut while we waited; then everything behind has to be ours.
        if (!extending || reach == WriteRanges.NO_END) {
          writeParts(at, src, extending);
          done = true;
        }
        reach = WriteRanges.NO_END;
      }
    }
  }

  private void writeParts(long at, ByteBuffer src, boolean extending) throws IOException {
    long size = super.size();
    long end = at + src.remaining();
    try {
      writeThroughBlocks(at, src);
    } finally {
      if (extending && super.size() > Math.max(size, end)) {
        super.resize(Math.max(size, end));
      }
    }
  }

  private void writeWhole(long at, ByteBuffer src) throws IOException {
    try {
      long address = src.isDirect() ? MemorySegment.ofBuffer(src).address() : 0;
      if (src.isDirect() && alignment.allowsMemory(address)) {
        send(address, at, src.remaining());
        src.position(src.limit());
      } else {
        writeThroughBlocks(at, src);
      }
    } finally {
      Reference.reachabilityFence(src);
    }
  }

  private void writeThroughBlocks(long at, ByteBuffer src) throws IOException {
    MemorySegment buffer = NativeBuffers.take();
    try {
      long position = at;
      while (src.hasRemaining()) {
        long first = down(position);
        int before = (int) (position - first);
        int length = Math.min(NativeBuffers.SIZE - before, src.remaining());
        int whole = (int) up((long) before + length);
        if (before > 0) {
          readBlock(buffer, 0, first);
        }
        if (before + length < whole && (before == 0 || whole > block)) {
          readBlock(buffer, whole - block, first + whole - block);
        }
        buffer.asSlice(before, length).asByteBuffer().put(src.slice(src.position(), length));
        send(buffer.address(), first, whole);
        src.position(src.position() + length);
        position += length;
      }
    } finally {
      NativeBuffers.giveBack(buffer);
    }
  }

  /** Reads a block that is to be changed in part; behind the file's end it is zero. */
  private void readBlock(MemorySegment buffer, int to, long at) throws IOException {
    int got = receive(buffer.address() + to, at, block);
    buffer.asSlice((long) to + got, (long) block - got).fill((byte) 0);
  }

  private void send(long address, long at, int length) throws IOException {
    for (int done = 0; done < length; ) {
      int result = transfer.write(address + done, at + done, length - done);
      int sent = (int) down(checked(result, "direct write", at + done));
      if (sent == 0) {
        throw new IOException(
            "%s: direct write at %d: %d bytes written, which is no whole block of %d"
                .formatted(name(), at + done, result, block));
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
