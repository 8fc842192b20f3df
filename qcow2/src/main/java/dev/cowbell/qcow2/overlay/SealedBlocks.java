package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads an overlay's metadata block by block, and hands out only what its seal vouches for. */
final class SealedBlocks {
  private final OverlaySource source;
  private final IntegrityTable table;
  private final MetadataCache cache;

  SealedBlocks(OverlaySource source, IntegrityTable table, MetadataCache cache) {
    this.source = source;
    this.table = table;
    this.cache = cache;
    cache.join();
  }

  IntegrityTable table() {
    return table;
  }

  /**
   * The block of a seal. Those that follow it are read along with it, since whoever reads a chain
   * goes from front to back.
   *
   * @return a buffer that nobody may change
   * @throws CorruptImageException if the block is not what was written
   */
  ByteBuffer block(int index) throws IOException {
    ByteBuffer cached = cache.get(source, index);
    if (cached != null) {
      return cached;
    }
    List<Seal> seals = table.seals();
    int end = endOfRun(index, cache.readAhead());
    long start = seals.get(index).offset();
    ByteBuffer run = ByteBuffer.allocate((int) (seals.get(end - 1).end() - start));
    source.read(start, run);
    ByteBuffer wanted = check(seals.get(index), run, start);
    if (wanted == null) {
      throw damaged(seals.get(index));
    }
    for (int i = index; i < end; i++) {
      ByteBuffer block = check(seals.get(i), run, start);
      if (block != null) {
        cache.put(source, i, block);
      }
    }
    return wanted;
  }

  CorruptImageException damaged(Seal seal) {
    return new CorruptImageException(
        "the metadata at bytes %d to %d (%s) is not what was written"
            .formatted(seal.offset(), seal.end() - 1, seal.kind()));
  }

  /** The seal behind the last one that lies next to the one before, and within so many bytes. */
  private int endOfRun(int index, int most) {
    List<Seal> seals = table.seals();
    Seal first = seals.get(index);
    int end = index + 1;
    while (end < seals.size()
        && seals.get(end).offset() == seals.get(end - 1).end()
        && seals.get(end).kind() == first.kind()
        && seals.get(end).end() - first.offset() <= most) {
      end++;
    }
    return end;
  }

  /** A copy of a block, so that what was read along doesn't stay with it; null if damaged. */
  private static @Nullable ByteBuffer check(Seal seal, ByteBuffer run, long start) {
    ByteBuffer block = run.slice((int) (seal.offset() - start), seal.length());
    if (!Sha256.of(block).equals(seal.digest())) {
      return null;
    }
    return run.capacity() == seal.length()
        ? block
        : ByteBuffer.allocate(seal.length()).put(block).flip();
  }
}
