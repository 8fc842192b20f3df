package dev.cowbell.agent.source;

import dev.cowbell.agent.repository.TrackingRecord;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.bitmap.BitmapEditor;
import java.io.IOException;

/** How a tracking bitmap begins. */
public final class TrackingBitmap {

  private TrackingBitmap() {}

  /**
   * Adds a tracking bitmap that records from now on. Its sentinel is set: the disk's last byte
   * counts as changed, so that a resize or a clearing is noticed later, when the mark is gone.
   */
  public static void add(BitmapEditor editor, TrackingRecord tracking) throws IOException {
    long size = editor.diskSize();
    ExtentSet sentinel = size == 0 ? ExtentSet.empty() : ExtentSet.of(size - 1, 1);
    editor.add(
        tracking.bitmap(), Long.numberOfTrailingZeros(tracking.granularity()), true, sentinel);
  }
}
