package dev.cowbell.it.fuzz;

import dev.cowbell.qcow2.BackingFormat;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.check.CheckReport;
import dev.cowbell.qcow2.check.Finding;
import dev.cowbell.qcow2.check.ImageCheck;
import dev.cowbell.qcow2.check.ImageRepair;
import dev.cowbell.qcow2.check.RepairMode;
import dev.cowbell.qcow2.check.RepairReport;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Repairs whatever the image is: what could be read has to be read the same afterwards, and the
 * image has to be clean unless there is damage that no repair mends; and whatever is left, a second
 * repair finds nothing to do.
 */
final class RepairTarget {
  private static final int PIECE = 16 << 10;
  private static final int PIECES = 24;
  private static final int SNAPSHOTS = 4;
  private static final int FINDINGS = 100_000;

  private RepairTarget() {}

  /** What a piece of a disk read as. */
  private record Piece(int layer, long at, ByteBuffer content) {}

  static void run(byte[] input) throws IOException {
    byte[] original = input.clone();
    List<Piece> readable = readable(original);
    HostFile file = new MemoryHostFile("fuzzed", input);
    RepairReport report = ImageRepair.repair(file, RepairMode.ALL);
    byte[] repaired = bytes(file);
    List<Finding> left = new ArrayList<>();
    CheckReport after =
        ImageCheck.run(
            file,
            finding -> {
              if (left.size() < FINDINGS) {
                left.add(finding);
              }
            });
    if (!after.equals(report.after())) {
      throw new AssertionError(
          "a repair says it left %s, a check %s".formatted(report.after(), after));
    }
    if (!left.isEmpty()
        && left.size() < FINDINGS
        && left.stream().noneMatch(RepairTarget::isFinal)) {
      throw new AssertionError("a repair left what it could mend: " + left);
    }
    RepairReport second = ImageRepair.repair(file, RepairMode.ALL);
    if (second.fixedAnything() || !Arrays.equals(bytes(file), repaired)) {
      throw new AssertionError(
          "a second repair found something to do: %s after %s".formatted(second, report));
    }
    for (Piece piece : readable) {
      int differs = read(repaired, piece).mismatch(piece.content());
      if (differs >= 0) {
        throw new AssertionError(
            "layer %d reads otherwise at %d".formatted(piece.layer(), piece.at() + differs));
      }
    }
  }

  /** Damage that no repair mends, and that may keep one from mending other things. */
  private static boolean isFinal(Finding finding) {
    return switch (finding) {
      case Finding.TooManyReferences _,
          Finding.OutsideFile _,
          Finding.Unaligned _,
          Finding.InvalidEntry _,
          Finding.InvalidSnapshot _,
          Finding.InvalidBitmapTable _ ->
          true;
      default -> false;
    };
  }

  private static byte[] bytes(HostFile file) throws IOException {
    byte[] bytes = new byte[(int) Math.min(file.size(), 64 << 20)];
    file.read(0, ByteBuffer.wrap(bytes));
    return bytes;
  }

  private static Qcow2Image open(byte[] content) throws IOException {
    OpenOptions options =
        OpenOptions.strict()
            .withReferences(ImageTargets::below)
            .withBackingFormat(new BackingFormat.Assumed("raw"));
    return Qcow2Image.adopt(new MemoryHostFile("fuzzed", content), options);
  }

  /** Pieces of the active state, layer 0, and of snapshots, all over the disk. */
  private static List<Piece> readable(byte[] content) throws IOException {
    List<Piece> pieces = new ArrayList<>();
    try (Qcow2Image image = open(content)) {
      int layers = 1 + Math.min(SNAPSHOTS, image.snapshots().entries().size());
      for (int layer = 0; layer < layers; layer++) {
        addReadable(pieces, image, layer);
      }
    } catch (ImageException e) {
      return pieces;
    }
    return pieces;
  }

  private static void addReadable(List<Piece> pieces, Qcow2Image image, int layer)
      throws IOException {
    try {
      MappedDisk disk = layer(image, layer);
      long step = Math.max(PIECE, disk.size() / PIECES / PIECE * PIECE);
      for (long at = 0; at < disk.size() && at / step < PIECES; at += step) {
        ByteBuffer read = ByteBuffer.allocate((int) Math.min(PIECE, disk.size() - at));
        try {
          disk.read(at, read);
          pieces.add(new Piece(layer, at, read.flip()));
        } catch (ImageException e) {
          // What can't be read need not be readable afterwards.
        }
      }
    } catch (ImageException e) {
      // Nor a snapshot that can't be opened.
    }
  }

  private static MappedDisk layer(Qcow2Image image, int layer) throws IOException {
    if (layer == 0) {
      return image;
    }
    SnapshotEntry snapshot = image.snapshots().entries().get(layer - 1);
    return image.openSnapshot(snapshot);
  }

  private static ByteBuffer read(byte[] content, Piece piece) {
    ByteBuffer read = ByteBuffer.allocate(piece.content().remaining());
    try (Qcow2Image image = open(content)) {
      layer(image, piece.layer()).read(piece.at(), read);
      return read.flip();
    } catch (IOException | IndexOutOfBoundsException e) {
      throw new AssertionError(
          "layer %d can't be read any more at %d".formatted(piece.layer(), piece.at()), e);
    }
  }
}
