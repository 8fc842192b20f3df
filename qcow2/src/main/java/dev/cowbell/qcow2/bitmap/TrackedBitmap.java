package dev.cowbell.qcow2.bitmap;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.directory.BitmapEntry;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A bitmap while its image is open for writing. */
final class TrackedBitmap {

  private final BitmapEntry entry;

  /** The bits. A disabled bitmap's stay in the file until a resize asks for them. */
  private volatile @Nullable DirtyBitmap bits;

  /** Whether the bits are others than in the file. */
  private boolean changed;

  private TrackedBitmap(BitmapEntry entry) {
    this.entry = entry;
  }

  /** A bitmap that nobody had in use. */
  static TrackedBitmap of(BitmapEntry entry, BitmapReader reader) throws IOException {
    TrackedBitmap bitmap = new TrackedBitmap(entry);
    if (entry.enabled()) {
      bitmap.load(reader);
    }
    return bitmap;
  }

  String name() {
    return entry.name();
  }

  int granularityBits() {
    return entry.granularityBits();
  }

  boolean records() {
    return entry.enabled();
  }

  void load(BitmapReader reader) throws IOException {
    if (bits == null) {
      bits = reader.load(entry);
    }
  }

  private DirtyBitmap loaded() {
    DirtyBitmap present = bits;
    if (present == null) {
      throw new IllegalStateException("bitmap '" + name() + "' was not loaded");
    }
    return present;
  }

  /** Most writes hit what is dirty already: they are told so without a lock. */
  void record(long at, long length) {
    if (!loaded().allDirty(at, length)) {
      set(at, length);
    }
  }

  private synchronized void set(long at, long length) {
    loaded().set(at, length);
    changed = true;
  }

  synchronized void resize(long newSize) {
    loaded().resize(newSize);
    changed = true;
  }

  synchronized void release(BitmapEditor editor) throws IOException {
    if (changed) {
      editor.release(name(), loaded());
    } else {
      editor.release(name());
    }
  }
}
