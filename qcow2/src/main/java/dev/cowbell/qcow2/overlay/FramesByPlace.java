package dev.cowbell.qcow2.overlay;

import java.io.IOException;
import java.util.Arrays;

/**
 * Goes through the frames of a merged overlay in the order in which they lie in the object. Takes
 * them in groups of {@value #GROUP}, each found by going through all tables: memory does not grow
 * with the overlay, and the tables are small beside the frames.
 */
final class FramesByPlace implements FrameSequence {
  static final int GROUP = 1 << 20;

  private final OverlayReader overlay;
  private final DamageList damages;
  private final int group;

  private long[] hosts = new long[0];
  private long[] ends = new long[0];
  private long[] guests = new long[0];
  private int at = -1;
  private long last = -1;
  private boolean more = true;

  FramesByPlace(OverlayReader overlay, DamageList damages) {
    this(overlay, damages, GROUP);
  }

  FramesByPlace(OverlayReader overlay, DamageList damages, int group) {
    this.overlay = overlay;
    this.damages = damages;
    this.group = group;
  }

  @Override
  public boolean next() throws IOException {
    if (++at < hosts.length) {
      return true;
    }
    if (!more) {
      at = hosts.length - 1;
      return false;
    }
    load();
    at = 0;
    return hosts.length > 0;
  }

  private void load() throws IOException {
    choose();
    ends = new long[hosts.length];
    guests = new long[hosts.length];
    FrameCursor frames = all();
    while (frames.next()) {
      int index = Arrays.binarySearch(hosts, frames.hostOffset());
      if (index < 0) {
        continue;
      }
      if (ends[index] != 0) {
        damages.add(
            new OverlayDamage.Altered(
                "the clusters of guest offsets %d and %d share the frame at %d"
                    .formatted(guests[index], frames.guestOffset(), frames.hostOffset())));
      }
      ends[index] = frames.hostEnd();
      guests[index] = frames.guestOffset();
    }
    if (hosts.length > 0) {
      last = hosts[hosts.length - 1];
    }
  }

  /** Finds the first places behind the last group. */
  private void choose() throws IOException {
    long[] found = new long[2 * group];
    int count = 0;
    long limit = Long.MAX_VALUE;
    more = false;
    FrameCursor frames = all();
    while (frames.next()) {
      long host = frames.hostOffset();
      if (host <= last || host >= limit) {
        continue;
      }
      if (count == found.length) {
        count = firstOf(found, count);
        limit = count == group ? found[count - 1] + 1 : limit;
        more = true;
      }
      found[count++] = host;
    }
    int all = count;
    count = firstOf(found, all);
    more |= all > group;
    hosts = Arrays.copyOf(found, count);
  }

  /** Sorts, and keeps at most a group of distinct places; answers how many. */
  private int firstOf(long[] found, int count) {
    Arrays.sort(found, 0, count);
    int kept = 0;
    for (int i = 0; i < count && kept < group; i++) {
      if (kept == 0 || found[kept - 1] != found[i]) {
        found[kept++] = found[i];
      }
    }
    return kept;
  }

  /** What is wrong with single entries was reported by whoever went through them before. */
  private FrameCursor all() {
    return new FrameCursor(overlay, new DamageList());
  }

  @Override
  public long hostOffset() {
    return hosts[at];
  }

  @Override
  public long hostEnd() {
    return ends[at];
  }

  @Override
  public long guestOffset() {
    return guests[at];
  }
}
