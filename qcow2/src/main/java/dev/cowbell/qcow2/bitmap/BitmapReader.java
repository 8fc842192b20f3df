package dev.cowbell.qcow2.bitmap;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.directory.BitmapDirectory;
import dev.cowbell.bitmaps.directory.BitmapEntry;
import dev.cowbell.bitmaps.directory.BitmapFormatException;
import dev.cowbell.bitmaps.directory.BitmapTable;
import dev.cowbell.bitmaps.directory.BitmapsExtension;
import dev.cowbell.bitmaps.directory.SerializedBitmap;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads directories, tables and bits. Unlike QEMU it does not take for zero what lies behind the
 * file's end: a bitmap of a truncated image would look clean where it is lost.
 */
final class BitmapReader {

  private static final int READ_SIZE = 1 << 20;

  private final HostFile file;
  private final Header header;

  BitmapReader(HostFile file, Header header) {
    this.file = file;
    this.header = header;
  }

  /** The extension that is in force, if there is one. */
  Optional<BitmapsExtension> extension(ImageHead head) throws CorruptImageException {
    Optional<HeaderExtension.Bitmaps> found = head.extension(HeaderExtension.Bitmaps.class);
    if (found.isEmpty() || !head.header().features().has(Feature.BITMAPS)) {
      return Optional.empty();
    }
    try {
      return Optional.of(
          BitmapsExtension.decode(found.get().payload().buffer(), head.header().clusterBits()));
    } catch (BitmapFormatException e) {
      throw corrupt(e.getMessage(), e);
    }
  }

  /** Reads and checks a whole directory. */
  BitmapDirectory directory(BitmapsExtension extension) throws IOException {
    ByteBuffer bytes =
        read("the bitmap directory", extension.directoryOffset(), extension.directorySize());
    try {
      BitmapDirectory directory = BitmapDirectory.decode(bytes, extension.bitmapCount());
      directory.check(header.diskSize(), header.clusterBits());
      return directory;
    } catch (BitmapFormatException e) {
      throw corrupt(e.getMessage(), e);
    }
  }

  private CorruptImageException corrupt(String message, @Nullable Throwable cause) {
    return new CorruptImageException(file.name() + ": " + message, cause);
  }

  /** Reads and checks a bitmap's whole table: 8 MiB at most. */
  BitmapTable table(BitmapEntry entry) throws IOException {
    return table(entry, 0, (int) entry.tableLength());
  }

  private BitmapTable table(BitmapEntry entry, int from, int length) throws IOException {
    ByteBuffer bytes =
        read(
            "the table of bitmap '" + entry.name() + "'",
            entry.tableOffset() + (long) from * BitmapTable.ENTRY_SIZE,
            length * BitmapTable.ENTRY_SIZE);
    try {
      return BitmapTable.decode(bytes, header.clusterBits());
    } catch (BitmapFormatException e) {
      throw corrupt("bitmap '" + entry.name() + "': " + e.getMessage(), e);
    }
  }

  /** Reads a bitmap that is not in use. */
  DirtyBitmap load(BitmapEntry entry) throws IOException {
    int clusterBits = header.clusterBits();
    BitmapTable table = table(entry);
    checkAmount(entry, table);
    DirtyBitmap bitmap = new DirtyBitmap(header.diskSize(), entry.granularityBits());
    int atOnce = Math.max(1, READ_SIZE >>> clusterBits);
    for (int i = 0; i < table.length(); ) {
      if (table.dataOffset(i) == 0) {
        if (table.isAllOnes(i)) {
          SerializedBitmap.decodeOnes(bitmap, i, clusterBits);
        }
        i++;
        continue;
      }
      int count = 1;
      while (count < atOnce
          && i + count < table.length()
          && table.dataOffset(i + count) == table.dataOffset(i) + ((long) count << clusterBits)) {
        count++;
      }
      ByteBuffer data = read(dataOf(entry), table.dataOffset(i), count << clusterBits);
      SerializedBitmap.decode(bitmap, i, clusterBits, data);
      i += count;
    }
    return bitmap;
  }

  /** Reads the one bit for the granule around a guest offset. */
  boolean isDirty(BitmapEntry entry, long offset) throws IOException {
    int clusterBits = header.clusterBits();
    int index =
        (int) (offset >>> SerializedBitmap.coverageShift(entry.granularityBits(), clusterBits));
    BitmapTable table = table(entry, index, 1);
    if (table.dataOffset(0) == 0) {
      return table.isAllOnes(0);
    }
    long bit = (offset >>> entry.granularityBits()) - ((long) index << (clusterBits + 3));
    ByteBuffer octet = read(dataOf(entry), table.dataOffset(0) + (bit >>> 3), 1);
    return (octet.get(0) >>> (bit & 7) & 1) != 0;
  }

  private static String dataOf(BitmapEntry entry) {
    return "the data of bitmap '" + entry.name() + "'";
  }

  /** Tables whose entries share clusters could claim more bits than the file has. */
  private void checkAmount(BitmapEntry entry, BitmapTable table) throws IOException {
    long clusters = 0;
    for (int i = 0; i < table.length(); i++) {
      clusters += table.dataOffset(i) == 0 ? 0 : 1;
    }
    if (clusters << header.clusterBits() > file.size()) {
      throw corrupt(
          "%s takes %d clusters; the file has only %d bytes"
              .formatted(dataOf(entry), clusters, file.size()),
          null);
    }
  }

  private ByteBuffer read(String what, long offset, int length) throws IOException {
    if (offset > file.size() - length) {
      throw corrupt(
          "%s lies at %d, %d bytes long; the file ends at %d"
              .formatted(what, offset, length, file.size()),
          null);
    }
    ByteBuffer bytes = ByteBuffer.allocate(length);
    file.read(offset, bytes);
    return bytes.flip();
  }
}
