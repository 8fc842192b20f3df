package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A file that is written to with or without barriers. When a flush fails, the host may have dropped
 * what it could not write and call the next flush a success; so after that nothing is written or
 * flushed any more.
 */
public final class BarrierFile implements HostFile {
  private final HostFile file;
  private final boolean flushes;
  private volatile @Nullable IOException failedFlush;

  private BarrierFile(HostFile file, boolean flushes) {
    this.file = file;
    this.flushes = flushes;
  }

  /** Takes over a file: closing this closes it. */
  public static BarrierFile adopt(HostFile file, BarrierMode mode) {
    return new BarrierFile(file, mode != BarrierMode.NONE);
  }

  private void requireUsable() throws IOException {
    IOException failure = failedFlush;
    if (failure != null) {
      throw new IOException(
          file.name()
              + ": nothing is written any more since a flush failed: "
              + failure.getMessage(),
          failure);
    }
  }

  @Override
  public String name() {
    return file.name();
  }

  @Override
  public Object identity() {
    return file.identity();
  }

  @Override
  public long size() throws IOException {
    return file.size();
  }

  @Override
  public int read(long at, ByteBuffer dst) throws IOException {
    return file.read(at, dst);
  }

  @Override
  public long nextData(long at) throws IOException {
    return file.nextData(at);
  }

  @Override
  public long nextHole(long at) throws IOException {
    return file.nextHole(at);
  }

  @Override
  public long storedBytes() throws IOException {
    return file.storedBytes();
  }

  @Override
  public void write(long at, ByteBuffer src) throws IOException {
    requireUsable();
    file.write(at, src);
  }

  @Override
  public void resize(long size) throws IOException {
    requireUsable();
    file.resize(size);
  }

  @Override
  public void punchHole(long at, long length) throws IOException {
    requireUsable();
    file.punchHole(at, length);
  }

  @Override
  public boolean allocate(long at, long length) throws IOException {
    requireUsable();
    return file.allocate(at, length);
  }

  @Override
  public void flush() throws IOException {
    requireUsable();
    if (flushes) {
      try {
        file.flush();
      } catch (IOException e) {
        failedFlush = e;
        throw e;
      }
    }
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
