package dev.cowbell.qcow2.bitmap;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.directory.BitmapEntry;
import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A bitmap on its way from one commit to the next: what is stored of it, and what is to be. */
final class EditedBitmap {

  private final String name;
  private final int granularityBits;
  private boolean enabled;
  private boolean inUse;

  /** What the directory in force says; nothing for a new bitmap. */
  private @Nullable BitmapEntry stored;

  /** The bits as edited so far, if they were needed at all. */
  private @Nullable DirtyBitmap content;

  /** Whether {@link #content} differs from what is stored. */
  private boolean changed;

  /** A bitmap as the image has it. */
  EditedBitmap(BitmapEntry stored) {
    this.name = stored.name();
    this.granularityBits = stored.granularityBits();
    this.enabled = stored.enabled();
    this.inUse = stored.inUse();
    this.stored = stored;
  }

  /** A new bitmap. */
  EditedBitmap(String name, boolean enabled, DirtyBitmap content) {
    this.name = name;
    this.granularityBits = content.granularityBits();
    this.enabled = enabled;
    this.content = content;
    this.changed = true;
  }

  String name() {
    return name;
  }

  int granularityBits() {
    return granularityBits;
  }

  boolean enabled() {
    return enabled;
  }

  void setEnabled(boolean value) {
    enabled = value;
  }

  boolean inUse() {
    return inUse;
  }

  /** Says that what is stored is whole, by the word of the one who had the bitmap in use. */
  void release() {
    inUse = false;
  }

  BitmapInfo info() {
    return new BitmapInfo(name, granularityBits, enabled, inUse);
  }

  Optional<BitmapEntry> stored() {
    return Optional.ofNullable(stored);
  }

  /** The bits; not to be changed. */
  DirtyBitmap content(BitmapReader reader) throws IOException {
    if (content == null) {
      if (stored == null) {
        throw new IllegalStateException("bitmap '" + name + "' is neither stored nor new");
      }
      content = reader.load(stored);
    }
    return content;
  }

  void replace(DirtyBitmap newContent) {
    content = newContent;
    changed = true;
  }

  /** The entry for the next directory; bits that changed are written to new clusters. */
  BitmapEntry store(BitmapWriter writer) throws IOException {
    if (!changed && stored != null) {
      return stored.withFlag(BitmapEntry.AUTO, enabled).withFlag(BitmapEntry.IN_USE, inUse);
    }
    if (content == null) {
      throw new IllegalStateException("bitmap '" + name + "' has no content");
    }
    BitmapWriter.StoredTable table = writer.write(content);
    return BitmapEntry.valid(name, granularityBits, enabled, table.offset(), table.length());
  }

  void committed(BitmapEntry entry) {
    stored = entry;
    changed = false;
  }
}
