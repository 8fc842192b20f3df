package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;

/** How much space a new image takes before anybody writes to it: QEMU's {@code preallocation}. */
public enum Preallocation {
  /** As little as it can. */
  OFF,
  /** Every cluster has its place; the host keeps no space for it yet. */
  METADATA,
  /** The host keeps space for all of it, without writing it. */
  FALLOC,
  /** All of it is written. */
  FULL;

  private static final int STEP = 1 << 20;

  /**
   * Takes the space that the host is to keep for a file. What it holds stays.
   *
   * @param length the bytes of the file, or more
   */
  void apply(HostFile file, long length) throws IOException {
    switch (this) {
      case OFF, METADATA -> {}
      case FALLOC -> {
        if (length > 0 && !file.allocate(0, length)) {
          writeHoles(file, length);
        }
      }
      case FULL -> writeHoles(file, length);
    }
  }

  private static void writeHoles(HostFile file, long length) throws IOException {
    if (file.size() < length) {
      file.resize(length);
    }
    ByteBuffer zeroes = ByteBuffer.allocateDirect(STEP);
    for (long hole = file.nextHole(0); hole < length; ) {
      long end = Math.min(file.nextData(hole), length);
      for (long at = hole; at < end; at += zeroes.limit()) {
        zeroes.clear().limit((int) Math.min(STEP, end - at));
        file.write(at, zeroes);
      }
      hole = end < length ? Math.max(file.nextHole(end), end) : length;
    }
  }
}
