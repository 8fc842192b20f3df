package dev.cowbell.agent.cli.image;

import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.SnapshotEntry;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What {@code image info} tells of one file.
 *
 * @param filename as it was opened
 * @param virtualSize the disk's size in bytes
 * @param actualSize the bytes that the file takes of its file system, but for the file system's own
 * @param qcow2 what only qcow2 images have; empty for raw ones
 * @param warnings what the user should know
 */
record ImageFacts(
    String filename,
    long virtualSize,
    long actualSize,
    Optional<Qcow2> qcow2,
    List<String> warnings) {
  /** What only qcow2 images have. */
  record Qcow2(ImageHead head, List<SnapshotEntry> snapshots, List<BitmapInfo> bitmaps) {

    Header header() {
      return head.header();
    }

    int clusterSize() {
      return 1 << header().clusterBits();
    }

    boolean isEncrypted() {
      return header().cryptMethod() != CryptMethod.NONE;
    }

    Optional<String> backingFile() {
      return head.backingFile();
    }

    Optional<String> backingFormat() {
      return backingFile().isPresent() ? head.backingFormat() : Optional.empty();
    }

    String compat() {
      return header().version() == 2 ? "0.10" : "1.1";
    }

    boolean isVersion3() {
      return header().version() >= 3;
    }
  }

  static ImageFacts of(MappedDisk disk) throws IOException {
    return switch (disk) {
      case Qcow2Image image -> {
        PersistentBitmaps bitmaps = PersistentBitmaps.read(image.file(), image.head());
        yield new ImageFacts(
            image.file().name(),
            image.size(),
            image.file().storedBytes(),
            Optional.of(new Qcow2(image.head(), image.snapshots().entries(), bitmaps.list())),
            bitmaps.warnings());
      }
      case RawDisk raw ->
          new ImageFacts(
              raw.file().name(), raw.size(), raw.file().storedBytes(), Optional.empty(), List.of());
      default -> throw new IllegalArgumentException("no image file: " + disk);
    };
  }

  String format() {
    return qcow2.isPresent() ? "qcow2" : "raw";
  }

  boolean has(Feature feature) {
    return qcow2.isPresent() && qcow2.get().header().features().has(feature);
  }

  /** Where a plain backing name leads, seen from here. */
  Optional<String> fullBackingName() {
    return qcow2.flatMap(Qcow2::backingFile).map(this::seenFromHere);
  }

  private String seenFromHere(String backing) {
    try {
      return backing.startsWith("json:") || backing.startsWith("file:")
          ? backing
          : Path.of(filename).resolveSibling(backing).toString();
    } catch (InvalidPathException _) {
      return backing;
    }
  }
}
