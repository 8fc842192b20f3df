package dev.cowbell.qcow2.bitmap;

import dev.cowbell.bitmaps.directory.BitmapDirectory;
import dev.cowbell.bitmaps.directory.BitmapEntry;
import dev.cowbell.bitmaps.directory.BitmapFormatException;
import dev.cowbell.bitmaps.directory.BitmapsExtension;
import dev.cowbell.bitmaps.directory.SerializedBitmap;
import dev.cowbell.qcow2.BitmapRefusedException;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.write.WriteObserver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Makes an image's enabled bitmaps record what is written while the image is open (specification:
 * "Dirty tracking bitmaps", auto and in_use flags). From {@link #begin} on every bitmap is marked
 * in use in the file, so that nobody trusts it if {@link #beforeClose} is never reached.
 *
 * <p>Bitmaps that were in use before stay so, for good. {@link #beforeChange} may be called by
 * several threads at once; all other calls need the image to stand still.
 */
public final class BitmapRecorder implements WriteObserver {

  /** The bits that are held in memory at the most, of all enabled bitmaps: 2 GiB. */
  private static final long MAX_GRANULES = 1L << 34;

  private final HostFile file;
  private final BitmapReader reader;
  private final int clusterBits;
  private final List<TrackedBitmap> bitmaps;

  /** Those that record; an array, since it is walked on every write. */
  private final TrackedBitmap[] recording;

  /** What the disk's size was last; it changes only while the image stands still. */
  private long size;

  /** The name of a bitmap that can't follow a resize. */
  private final Optional<String> inconsistent;

  private BitmapRecorder(
      HostFile file,
      BitmapReader reader,
      int clusterBits,
      List<TrackedBitmap> bitmaps,
      Optional<String> inconsistent,
      long size) {
    this.file = file;
    this.size = size;
    this.reader = reader;
    this.clusterBits = clusterBits;
    this.bitmaps = bitmaps;
    this.recording = bitmaps.stream().filter(TrackedBitmap::records).toArray(TrackedBitmap[]::new);
    this.inconsistent = inconsistent;
  }

  /**
   * Reads an image's bitmaps and changes nothing yet.
   *
   * @throws CorruptImageException if the directory, or an enabled bitmap, can't be read
   */
  public static BitmapRecorder load(HostFile file, ImageHead head) throws IOException {
    BitmapReader reader = new BitmapReader(file, head.header());
    Optional<BitmapsExtension> extension = reader.extension(head);
    List<TrackedBitmap> bitmaps = new ArrayList<>();
    Optional<String> inconsistent = Optional.empty();
    if (extension.isPresent()) {
      BitmapDirectory directory = reader.directory(extension.get());
      checkMemory(file, directory, head.header().diskSize());
      for (BitmapEntry entry : directory.entries()) {
        if (entry.inUse()) {
          inconsistent = Optional.of(entry.name());
        } else {
          bitmaps.add(TrackedBitmap.of(entry, reader));
        }
      }
    }
    return new BitmapRecorder(
        file, reader, head.header().clusterBits(), bitmaps, inconsistent, head.header().diskSize());
  }

  /**
   * Takes the bitmaps into use; durable when this returns. The last step of opening an image for
   * writing, since bitmaps that are in use are lost unless {@link #beforeClose} is reached. Clears
   * what a program that writes must clear: unknown autoclear bits, and bitmaps whose autoclear bit
   * is off.
   */
  public void begin(HeadWriter head) throws IOException {
    head.clearUnknownAutoclear();
    ImageHead now = head.head();
    Optional<BitmapsExtension> extension = reader.extension(now);
    if (extension.isPresent()) {
      markInUse(extension.get());
    } else if (now.header().version() >= 3
        && now.extension(HeaderExtension.Bitmaps.class).isPresent()) {
      head.dropBitmaps();
    }
  }

  private static void checkMemory(HostFile file, BitmapDirectory directory, long diskSize)
      throws UnsupportedFeatureException {
    long granules = 0;
    for (BitmapEntry entry : directory.entries()) {
      granules += entry.enabled() ? diskSize >>> entry.granularityBits() : 0;
    }
    if (granules > MAX_GRANULES) {
      throw new UnsupportedFeatureException(
          "%s: the enabled bitmaps have %d bits, at most %d are kept; remove some, or make them coarser"
              .formatted(file.name(), granules, MAX_GRANULES));
    }
  }

  /**
   * In place, with the autoclear bit left on: whichever of the marks a crash leaves, nothing has
   * been written to the disk yet, so a bitmap without one is still right. QEMU clears the bit in
   * between, and a crash there loses all bitmaps.
   */
  private void markInUse(BitmapsExtension extension) throws IOException {
    BitmapDirectory directory = reader.directory(extension);
    BitmapDirectory marked =
        new BitmapDirectory(
            directory.entries().stream()
                .map(entry -> entry.withFlag(BitmapEntry.IN_USE, true))
                .toList());
    if (!marked.equals(directory)) {
      file.write(extension.directoryOffset(), marked.encode());
      file.flush();
    }
  }

  /** Whether any bitmap records; if not, {@link #beforeChange} does nothing. */
  public boolean isRecording() {
    return recording.length > 0;
  }

  /**
   * Notes a range that is about to be written, zeroed or discarded; one noted in vain does no harm.
   *
   * @throws IndexOutOfBoundsException if the range is not inside the disk
   */
  @Override
  public void beforeChange(long at, long length) {
    for (TrackedBitmap bitmap : recording) {
      bitmap.record(at, length);
    }
  }

  /**
   * Makes sure that all bitmaps can follow a resize, before the disk's size changes.
   *
   * @throws BitmapRefusedException if one can't: it is inconsistent, or would have too many bits
   */
  @Override
  public void beforeResize(long newSize) throws BitmapRefusedException {
    if (inconsistent.isPresent()) {
      throw new BitmapRefusedException(
          "%s: bitmap '%s' was not saved after its last use and can't follow a resize; remove it first"
              .formatted(file.name(), inconsistent.get()),
          null);
    }
    for (TrackedBitmap bitmap : bitmaps) {
      try {
        SerializedBitmap.checkStorable(newSize, bitmap.granularityBits(), clusterBits);
      } catch (BitmapFormatException e) {
        throw new BitmapRefusedException(
            "%s: bitmap '%s': %s".formatted(file.name(), bitmap.name(), e.getMessage()), e);
      }
    }
  }

  /** Follows the disk to another size, if it has one: see {@link #resized}. */
  public void follow(long diskSize) throws IOException {
    if (diskSize != size) {
      resized(diskSize);
    }
  }

  /**
   * Follows a resize that {@link #beforeResize} let pass, as QEMU does: what is new is clean, and
   * what was cut off is forgotten.
   */
  public void resized(long newSize) throws IOException {
    size = newSize;
    for (TrackedBitmap bitmap : bitmaps) {
      bitmap.load(reader);
      bitmap.resize(newSize);
    }
  }

  /**
   * Stores the bitmaps and ends their use; durable when this returns. If it fails the bitmaps stay
   * in use. One that was removed meanwhile is gone.
   */
  @Override
  public void beforeClose(HostFile to, HeadWriter head, ClusterAllocator allocator)
      throws IOException {
    if (bitmaps.isEmpty()) {
      return;
    }
    try (BitmapEditor editor = BitmapEditor.of(to, head, allocator)) {
      Set<String> present =
          editor.list().stream().map(BitmapInfo::name).collect(Collectors.toSet());
      for (TrackedBitmap bitmap : bitmaps) {
        if (present.contains(bitmap.name())) {
          bitmap.release(editor);
        }
      }
      editor.commit();
    }
  }
}
