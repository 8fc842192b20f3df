package dev.cowbell.agent.restore;

import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress.Phase;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.overlay.ChainSink;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Writes what a chain holds to a raw file or device, wherever it belongs, from many threads. */
final class RawSink implements ChainSink, Closeable {

  private final HostFile file;
  private final long size;
  private final boolean isNew;
  private final Phase phase;
  private final Cancellation cancellation;

  private RawSink(HostFile file, long size, boolean isNew, Phase phase, Cancellation cancellation) {
    this.file = file;
    this.size = size;
    this.isNew = isNew;
    this.phase = phase;
    this.cancellation = cancellation;
  }

  /**
   * Prepares a file.
   *
   * @param size of the disk in bytes; an overlay's may be up to 511 bytes larger
   * @param isNew whether the file is empty, so that zeroes need not be written
   */
  static RawSink begin(
      HostFile file, long size, boolean isNew, Phase phase, Cancellation cancellation)
      throws IOException {
    if (isNew) {
      file.resize(size);
    } else if (file.size() < size) {
      throw new IOException(
          "%s has %d bytes, the disk needs %d".formatted(file.name(), file.size(), size));
    }
    return new RawSink(file, size, isNew, phase, cancellation);
  }

  @Override
  public void data(long at, ByteBuffer bytes) throws IOException {
    cancellation.check();
    int length = bytes.remaining();
    if (at + length > size) {
      bytes.limit(bytes.position() + (int) Math.max(0, size - at));
    }
    file.write(at, bytes);
    phase.advance(length);
  }

  @Override
  public void zeroes(long at, long length) throws IOException {
    cancellation.check();
    long inside = Math.min(at + length, size) - at;
    if (!isNew && inside > 0) {
      file.punchHole(at, inside);
    }
    phase.advance(length);
  }

  @Override
  public void close() {}
}
