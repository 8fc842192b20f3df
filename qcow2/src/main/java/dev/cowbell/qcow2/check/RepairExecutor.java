package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.Field;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Writes what a plan says, but for rebuilding: all raised refcounts are durable before any is
 * lowered. What is left by a crash reads as before, since readers look neither at refcounts nor at
 * COPIED flags.
 */
final class RepairExecutor {
  private final HostFile file;
  private final Geometry geometry;
  private final ByteBuffer block;
  private long blockAt;

  RepairExecutor(HostFile file, Header header) {
    this.file = file;
    this.geometry = header.geometry();
    this.block = ByteBuffer.allocate(geometry.clusterSize());
  }

  void run(List<Repair> steps) throws IOException {
    boolean lowering = false;
    for (Repair step : steps) {
      switch (step) {
        case Repair.SetEntry entry -> set(entry);
        case Repair.RaiseRefcount raise -> refcount(raise.wrong());
        case Repair.LowerRefcount lower -> {
          if (!lowering) {
            writeBlock();
            file.flush();
            lowering = true;
          }
          refcount(lower.wrong());
        }
        case Repair.ClearMarks clear ->
            word(Header.INCOMPATIBLE_FEATURES, clear.features().incompatible());
        case Repair.Rebuild _ -> throw new IllegalArgumentException(step.description());
      }
    }
    writeBlock();
    file.flush();
  }

  /** Clears autoclear bits that mean nothing to us, as whoever writes has to. Durable. */
  void clearUnknownAutoclear(Header header) throws IOException {
    FeatureBits bits = header.features();
    long unknown = bits.unknown(Feature.Kind.AUTOCLEAR);
    if (unknown != 0) {
      word(Header.AUTOCLEAR_FEATURES, bits.autoclear() & ~unknown);
      file.flush();
    }
  }

  private void word(Field field, long value) throws IOException {
    file.write(field.offset(), ByteBuffer.allocate(Long.BYTES).putLong(value).flip());
  }

  private void set(Repair.SetEntry step) throws IOException {
    boolean extended = step.bitmap() != step.entry().bitmap();
    ByteBuffer entry = ByteBuffer.allocate(extended ? 2 * Long.BYTES : Long.BYTES);
    entry.putLong(step.word());
    if (extended) {
      entry.putLong(step.bitmap());
    }
    file.write(step.entry().at(), entry.flip());
  }

  private void refcount(Finding.WrongRefcount wrong) throws IOException {
    if (wrong.block() != blockAt) {
      writeBlock();
      file.readPadded(wrong.block(), block.clear());
      blockAt = wrong.block();
    }
    int index = (int) wrong.cluster() & (geometry.refcountBlockEntries() - 1);
    geometry.refcountWidth().set(block, index, wrong.references());
  }

  private void writeBlock() throws IOException {
    if (blockAt != 0) {
      file.write(blockAt, block.clear());
      blockAt = 0;
    }
  }
}
