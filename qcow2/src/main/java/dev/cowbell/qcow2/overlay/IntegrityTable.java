package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * All seals of an overlay, in ascending order. Stored behind everything that qcow2 knows of, in
 * clusters with refcount 0, so that to QEMU it is free space.
 */
final class IntegrityTable {

  /** The longest table that is read: enough for 340 GiB of metadata. */
  static final int MAX_BYTES = 64 << 20;

  private final List<Seal> seals;

  private IntegrityTable(List<Seal> seals) {
    this.seals = seals;
  }

  static ByteBuffer encode(List<Seal> seals) {
    ByteBuffer table = ByteBuffer.allocate(Math.multiplyExact(seals.size(), Seal.LENGTH));
    seals.forEach(seal -> seal.encode(table));
    return table.flip();
  }

  /**
   * Reads a table whose own digest was found right.
   *
   * @param start the first byte that metadata may have
   * @param end the first byte that it may not have any more
   * @throws CorruptImageException if a seal is for something impossible
   */
  static IntegrityTable decode(ByteBuffer table, int clusterSize, long start, long end)
      throws CorruptImageException {
    List<Seal> seals = new ArrayList<>();
    long free = start;
    for (int i = 0; table.remaining() >= Seal.LENGTH; i++) {
      Seal seal = Seal.decode(table, i, clusterSize);
      if (seal.offset() < free || seal.offset() > end - seal.length()) {
        throw new CorruptImageException(
            "seal %d of the integrity table is for bytes %d to %d, allowed are %d to %d"
                .formatted(i, seal.offset(), seal.end(), free, end));
      }
      free = seal.end();
      seals.add(seal);
    }
    return new IntegrityTable(seals);
  }

  List<Seal> seals() {
    return seals;
  }

  /** The index of the first seal that ends behind an offset; the number of seals if none does. */
  int firstEndingBehind(long offset) {
    int low = 0;
    int high = seals.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (seals.get(middle).end() > offset) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
}
