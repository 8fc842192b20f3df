package dev.cowbell.qcow2;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A guest disk that can say of every byte which layer and which host file it comes from. */
public interface MappedDisk extends GuestDisk {

  /**
   * Hands out a range's runs in order, without gaps or overlaps, without reading data, and without
   * holding more than one at a time. Neighbours may be alike; {@link #map(long, long, MapSink)}
   * joins them.
   *
   * @param depth how many layers lie above this disk
   */
  void mapLayers(long at, long length, int depth, MapSink sink) throws IOException;

  /** Hands out a range's runs as {@code qemu-img map} shows them, each as long as it can be. */
  default void map(long at, long length, MapSink sink) throws IOException {
    Joiner joiner = new Joiner(sink);
    mapLayers(at, length, 0, joiner);
    joiner.finish();
  }

  @Override
  default List<Extent> extents(long at, long length) throws IOException {
    List<Extent> extents = new ArrayList<>();
    mapLayers(
        at,
        length,
        0,
        entry -> {
          Extent last = extents.isEmpty() ? null : extents.getLast();
          if (last != null && last.status() == entry.status()) {
            extents.removeLast();
            extents.add(new Extent(last.offset(), last.length() + entry.length(), last.status()));
          } else {
            extents.add(new Extent(entry.start(), entry.length(), entry.status()));
          }
        });
    return extents;
  }

  /** Joins neighbours that are alike. */
  final class Joiner implements MapSink {
    private final MapSink sink;
    private @Nullable MapEntry held;

    private Joiner(MapSink sink) {
      this.sink = sink;
    }

    @Override
    public void accept(MapEntry entry) throws IOException {
      MapEntry last = held;
      if (last != null && last.continuesIn(entry)) {
        held =
            new MapEntry(
                last.start(),
                last.length() + entry.length(),
                last.kind(),
                last.depth(),
                last.offset(),
                last.file());
        return;
      }
      finish();
      held = entry;
    }

    private void finish() throws IOException {
      MapEntry last = held;
      if (last != null) {
        sink.accept(last);
      }
      held = null;
    }
  }
}
