package dev.cowbell.qcow2.io;

import java.io.IOException;

/**
 * Reads and writes one descriptor through the process's ring, and by plain system calls what the
 * ring can't take any more.
 */
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
    int result = ring.perform(Ring.OP_READ, file.descriptor(), at, address, length);
    return result == SharedRing.NOT_TAKEN ? file.read(address, at, length) : result;
  }

  @Override
  public int write(long address, long at, int length) {
    int result = ring.perform(Ring.OP_WRITE, file.descriptor(), at, address, length);
    return result == SharedRing.NOT_TAKEN ? file.write(address, at, length) : result;
  }

  @Override
  public void close() {
    ring.release();
    if (owned) {
      file.close();
    }
  }
}
