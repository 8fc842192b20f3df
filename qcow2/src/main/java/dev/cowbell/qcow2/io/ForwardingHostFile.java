package dev.cowbell.qcow2.io;

import java.io.IOException;

/** A file that reads and writes data in its own way, and leaves everything else to another. */
abstract class ForwardingHostFile implements HostFile {
  private final HostFile file;

  /**
   * @param file taken over
   */
  ForwardingHostFile(HostFile file) {
    this.file = file;
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
  public void resize(long size) throws IOException {
    file.resize(size);
  }

  @Override
  public void punchHole(long at, long length) throws IOException {
    file.punchHole(at, length);
  }

  @Override
  public boolean allocate(long at, long length) throws IOException {
    return file.allocate(at, length);
  }

  @Override
  public void flush() throws IOException {
    file.flush();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  /** What a request brought, unless it failed. */
  final int checked(int result, String what, long at) throws IOException {
    if (result < 0) {
      throw Libc.failure("%s: %s at %d".formatted(name(), what, at), -result);
    }
    return result;
  }
}
