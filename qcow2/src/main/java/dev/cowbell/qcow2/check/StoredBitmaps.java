package dev.cowbell.qcow2.check;

import dev.cowbell.bitmaps.directory.BitmapDirectory;
import dev.cowbell.bitmaps.directory.BitmapEntry;
import dev.cowbell.bitmaps.directory.BitmapFormatException;
import dev.cowbell.bitmaps.directory.BitmapTable;
import dev.cowbell.bitmaps.directory.BitmapsExtension;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;

/** Counts the clusters that persistent bitmaps use. */
final class StoredBitmaps {
  private static final int CHUNK = 1 << 20;

  private final ImageReader reader;
  private final Geometry geometry;
  private final References references;
  private final Tally tally;
  private final BitmapsExtension extension;
  private final BitmapDirectory directory;

  private StoredBitmaps(
      ImageReader reader,
      Geometry geometry,
      References references,
      Tally tally,
      BitmapsExtension extension,
      BitmapDirectory directory) {
    this.reader = reader;
    this.geometry = geometry;
    this.references = references;
    this.tally = tally;
    this.extension = extension;
    this.directory = directory;
  }

  /**
   * Reads the directory; empty when the image has no bitmaps that count.
   *
   * @throws CorruptImageException if it breaks a rule for which QEMU would refuse the image
   */
  static Optional<StoredBitmaps> read(
      ImageReader reader, ImageHead head, References references, Tally tally) throws IOException {
    Optional<HeaderExtension.Bitmaps> stored = head.extension(HeaderExtension.Bitmaps.class);
    if (stored.isEmpty() || !head.header().features().has(Feature.BITMAPS)) {
      return Optional.empty();
    }
    Geometry geometry = head.header().geometry();
    try {
      BitmapsExtension extension =
          BitmapsExtension.decode(stored.get().payload().buffer(), geometry.clusterBits());
      ByteBuffer bytes = reader.read(extension.directoryOffset(), extension.directorySize());
      BitmapDirectory directory = BitmapDirectory.decode(bytes, extension.bitmapCount());
      directory.check(head.header().diskSize(), geometry.clusterBits());
      return Optional.of(
          new StoredBitmaps(reader, geometry, references, tally, extension, directory));
    } catch (BitmapFormatException e) {
      throw new CorruptImageException(String.valueOf(e.getMessage()), e);
    }
  }

  void count() throws IOException {
    references.structure(
        "bitmap directory", extension.directoryOffset(), extension.directorySize());
    for (BitmapEntry entry : directory.entries()) {
      long length = entry.tableLength() * BitmapTable.ENTRY_SIZE;
      references.structure(
          "table of bitmap '%s'".formatted(entry.name()), entry.tableOffset(), length);
      ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(CHUNK, length));
      for (long done = 0; done < length; done += chunk.limit()) {
        chunk.clear().limit((int) Math.min(CHUNK, length - done));
        countData(entry, reader.read(entry.tableOffset() + done, chunk));
        tally.between();
      }
    }
  }

  private void countData(BitmapEntry entry, ByteBuffer entries) throws IOException {
    try {
      countData(entry, BitmapTable.decode(entries, geometry.clusterBits()));
    } catch (BitmapFormatException e) {
      if (!entry.inUse()) {
        // QEMU loads such a bitmap when it opens the image, and refuses the image
        throw new CorruptImageException(
            "bitmap '%s': %s".formatted(entry.name(), e.getMessage()), e);
      }
      for (int at = 0; at < entries.limit(); at += BitmapTable.ENTRY_SIZE) {
        countOne(entry, entries.slice(at, BitmapTable.ENTRY_SIZE));
      }
    }
  }

  private void countOne(BitmapEntry entry, ByteBuffer one) throws IOException {
    try {
      countData(entry, BitmapTable.decode(one, geometry.clusterBits()));
    } catch (BitmapFormatException e) {
      if (tally.isFirstPass()) {
        tally.found(new Finding.InvalidBitmapTable(entry.name(), String.valueOf(e.getMessage())));
      }
    }
  }

  private void countData(BitmapEntry entry, BitmapTable table) throws IOException {
    for (int i = 0; i < table.length(); i++) {
      if (table.dataOffset(i) != 0) {
        references.structure(
            "data of bitmap '%s'".formatted(entry.name()),
            table.dataOffset(i),
            geometry.clusterSize());
      }
    }
  }
}
