package dev.cowbell.qcow2.overlay;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.Extent.Status;
import dev.cowbell.qcow2.GuestDisk;
import java.io.IOException;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** Which extents of a disk go into a full overlay or an increment, found out as they are needed. */
public final class OverlayExtents {
  /** The least that is asked about at a time in a full: bounds the extents in one answer. */
  private static final long MIN_WINDOW = 256L << 20;

  private static final long MAX_WINDOW = 64L << 30;

  /** Runs shorter than this are read without asking what is in them. */
  private static final long WORTH_ASKING = 256 << 10;

  private OverlayExtents() {}

  /** Everything of a disk that holds data. */
  public static ExtentCursor full(GuestDisk disk) {
    return new Full(disk);
  }

  /**
   * The changed parts of a disk: what reads as zeroes there becomes {@link Status#ZERO}, since the
   * parent's content must not show through.
   *
   * @param changed may end behind the disk's end
   */
  public static ExtentCursor changed(GuestDisk disk, ExtentSet changed) {
    return new Changed(disk, changed);
  }

  private static final class Full implements ExtentCursor {
    private final GuestDisk disk;
    private final ArrayDeque<Extent> ahead = new ArrayDeque<>();
    private long at;
    private long window = MIN_WINDOW;

    Full(GuestDisk disk) {
      this.disk = disk;
    }

    @Override
    public @Nullable Extent next() throws IOException {
      while (ahead.isEmpty() && at < disk.size()) {
        long length = Math.min(window, disk.size() - at);
        disk.extents(at, length).stream()
            .filter(extent -> extent.status() == Status.DATA)
            .forEach(ahead::add);
        at += length;
        // Empty stretches of huge disks are crossed in growing strides.
        window = ahead.isEmpty() ? Math.min(2 * window, MAX_WINDOW) : MIN_WINDOW;
      }
      return ahead.poll();
    }
  }

  private static final class Changed implements ExtentCursor {
    private final GuestDisk disk;
    private final ExtentSet changed;
    private final ArrayDeque<Extent> ahead = new ArrayDeque<>();
    private int run;
    private long done;

    Changed(GuestDisk disk, ExtentSet changed) {
      this.disk = disk;
      this.changed = changed;
    }

    @Override
    public @Nullable Extent next() throws IOException {
      while (ahead.isEmpty() && run < changed.runCount()) {
        long start = Math.max(done, changed.start(run));
        long end = Math.min(changed.end(run), disk.size());
        if (start >= end) {
          run++;
          continue;
        }
        done = Math.min(end, start + MIN_WINDOW);
        look(start, done - start);
      }
      return ahead.poll();
    }

    private void look(long start, long length) throws IOException {
      if (length < WORTH_ASKING) {
        ahead.add(new Extent(start, length, Status.DATA));
        return;
      }
      for (Extent extent : disk.extents(start, length)) {
        ahead.add(
            extent.status() == Status.DATA
                ? extent
                : new Extent(extent.offset(), extent.length(), Status.ZERO));
      }
    }
  }
}
