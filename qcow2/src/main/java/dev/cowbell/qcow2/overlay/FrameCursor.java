package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L2Entry;
import java.io.IOException;

/**
 * Goes through an overlay's frames in guest order, and reports entries that can't be right. Unless
 * the overlay was merged, that is their order in the object too. For one thread.
 */
final class FrameCursor implements FrameSequence {
  private final OverlayReader overlay;
  private final Geometry geometry;
  private final DamageList damages;
  private final boolean merged;
  private final long[] words;

  private long table = -1;
  private int entry;
  private long hostOffset;
  private long hostEnd;
  private long guestOffset;
  private long dataClusters;
  private long zeroClusters;

  FrameCursor(OverlayReader overlay, DamageList damages) {
    this.overlay = overlay;
    this.geometry = overlay.geometry();
    this.damages = damages;
    this.merged = overlay.isMerged();
    this.words = new long[geometry.l2Entries()];
    this.entry = words.length;
    this.hostOffset = geometry.clusterSize() - 1L;
  }

  /** Goes to the next frame; false behind the last one. */
  @Override
  public boolean next() throws IOException {
    while (true) {
      while (entry < words.length) {
        if (isFrame(words[entry++])) {
          return true;
        }
      }
      table = overlay.nextTable(table + 1);
      if (table < 0) {
        return false;
      }
      try {
        overlay.readEntries(table << geometry.l2Bits(), words.length, words);
        entry = 0;
      } catch (CorruptImageException e) {
        lost(table * geometry.l2Coverage(), geometry.l2Coverage(), String.valueOf(e.getMessage()));
      }
    }
  }

  private boolean isFrame(long word) {
    if (word == 0) {
      return false;
    }
    long guest = table * geometry.l2Coverage() + ((entry - 1L) << geometry.clusterBits());
    if (guest < overlay.size() && word == L2Entry.ZERO_PLAIN.word()) {
      zeroClusters++;
      return false;
    }
    long host = CompressedDescriptor.hostOffset(word, geometry);
    long end = host + CompressedDescriptor.length(word, geometry);
    if (guest >= overlay.size()
        || !L2Entry.isCompressed(word)
        || !(merged ? host >= geometry.clusterSize() : host > hostOffset)
        || end > overlay.tablesEnd()
        || touchesMetadata(host, end)) {
      lost(guest, geometry.clusterSize(), "the L2 entry is %#018x".formatted(word));
      return false;
    }
    dataClusters++;
    guestOffset = guest;
    hostOffset = host;
    hostEnd = end;
    return true;
  }

  private boolean touchesMetadata(long host, long end) {
    IntegrityTable table = overlay.blocks().table();
    int seal = table.firstEndingBehind(host);
    return seal < table.seals().size() && table.seals().get(seal).offset() < end;
  }

  private void lost(long at, long length, String what) {
    long inside = Math.min(length, Math.max(1, overlay.size() - at));
    damages.add(new OverlayDamage.Lost(at, inside, what));
  }

  /** Where the present frame starts in the object. */
  @Override
  public long hostOffset() {
    return hostOffset;
  }

  /** The first byte behind which the present frame can't reach. */
  @Override
  public long hostEnd() {
    return hostEnd;
  }

  /** The first guest byte of the present frame's cluster. */
  @Override
  public long guestOffset() {
    return guestOffset;
  }

  /** The frames so far. */
  long dataClusters() {
    return dataClusters;
  }

  /** The zero clusters so far. */
  long zeroClusters() {
    return zeroClusters;
  }
}
