package dev.cowbell.qcow2.bitmap;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.directory.BitmapDirectory;
import dev.cowbell.bitmaps.directory.BitmapEntry;
import dev.cowbell.bitmaps.directory.BitmapsExtension;
import dev.cowbell.qcow2.BitmapNotFoundException;
import dev.cowbell.qcow2.BitmapRefusedException;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * The persistent bitmaps of an image as they stand in the file, for reading. While a program has
 * the image open for writing they are in use and say nothing about the disk.
 */
public final class PersistentBitmaps {

  private final String fileName;
  private final BitmapReader reader;
  private final BitmapDirectory directory;
  private final long diskSize;
  private final List<String> warnings;

  private PersistentBitmaps(
      String fileName,
      BitmapReader reader,
      BitmapDirectory directory,
      long diskSize,
      List<String> warnings) {
    this.fileName = fileName;
    this.reader = reader;
    this.directory = directory;
    this.diskSize = diskSize;
    this.warnings = warnings;
  }

  /**
   * Reads the directory of bitmaps; none if the image has none, or if they are to be ignored.
   *
   * @throws CorruptImageException if the directory breaks a rule for which QEMU refuses the image
   */
  public static PersistentBitmaps read(HostFile file, ImageHead head) throws IOException {
    BitmapReader reader = new BitmapReader(file, head.header());
    Optional<BitmapsExtension> extension = reader.extension(head);
    BitmapDirectory directory =
        extension.isPresent() ? reader.directory(extension.get()) : BitmapDirectory.EMPTY;
    boolean ignored =
        extension.isEmpty() && head.extension(HeaderExtension.Bitmaps.class).isPresent();
    return new PersistentBitmaps(
        file.name(),
        reader,
        directory,
        head.header().diskSize(),
        ignored ? List.of(whyIgnored(head)) : List.of());
  }

  private static String whyIgnored(ImageHead head) {
    return head.header().version() < 3 || head.header().features().has(Feature.BITMAPS)
        ? "the image is of version 2, which can't hold bitmaps; its bitmaps are ignored"
        : "a program that does not know bitmaps has written to the image; its bitmaps are ignored";
  }

  /** What a user should know: that bitmaps are there but ignored, and why. */
  public List<String> warnings() {
    return warnings;
  }

  /** All bitmaps, in the order of the directory. */
  public List<BitmapInfo> list() {
    return directory.entries().stream().map(BitmapInfo::of).toList();
  }

  /** What is known of one bitmap. */
  public Optional<BitmapInfo> find(String name) {
    return directory.find(name).map(BitmapInfo::of);
  }

  /**
   * Reads a bitmap's bits.
   *
   * @throws BitmapNotFoundException if there is none of that name
   * @throws BitmapRefusedException if it is in use
   * @throws CorruptImageException if its table breaks a rule or lies behind the file's end
   */
  public DirtyBitmap load(String name) throws IOException {
    return reader.load(usable(name));
  }

  /**
   * Reads the one bit that stands for a guest byte, at the cost of two small reads.
   *
   * @param offset inside the disk
   * @throws IOException as {@link #load} does
   */
  public boolean isDirty(String name, long offset) throws IOException {
    if (offset < 0 || offset >= diskSize) {
      throw new IndexOutOfBoundsException(
          "offset %d is not inside a disk of %d bytes".formatted(offset, diskSize));
    }
    return reader.isDirty(usable(name), offset);
  }

  private BitmapEntry usable(String name) throws IOException {
    Optional<BitmapEntry> entry = directory.find(name);
    if (entry.isEmpty()) {
      throw new BitmapNotFoundException(fileName + ": there is no bitmap '" + name + "'");
    }
    if (entry.get().inUse()) {
      throw inUse(fileName, name);
    }
    return entry.get();
  }

  static BitmapRefusedException inUse(String fileName, String name) {
    return new BitmapRefusedException(
        "%s: bitmap '%s' was not saved after its last use, or is in use; it can only be removed"
            .formatted(fileName, name));
  }
}
