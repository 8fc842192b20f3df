package dev.cowbell.qcow2.io;

import java.io.IOException;

/** Reads and writes one descriptor through the process's ring. */
final class RingTransfer implements Transfer {
  private final SharedRing ring;
  private final NativeFile file;
  private final boolean owned;

  /**
   * @param owned whether closing this closes the descriptor
   * @throws IOException if there can be no ring
   */
  RingTransfer(NativeFile file, boolean owned) throws IOException {
    this.file = file;
    this.owned = owned;
    this.ring = SharedRing.acquire();
  }

  @Override
  public int read(long address, long at, int length) {
    return ring.perform(Ring.OP_READ, file.descriptor(), at, address, length);
  }

  @Override
  public int write(long address, long at, int length) {
    return ring.perform(Ring.OP_WRITE, file.descriptor(), at, address, length);
  }

  @Override
  public void close() {
    ring.release();
    if (owned) {
      file.close();
    }
  }
}
