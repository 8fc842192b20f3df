package dev.cowbell.qcow2;

import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.UsedClusters;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * A disk whose map tells what is stored in holes of the host file, as {@code qemu-img map} does: an
 * image with preallocated metadata has a place for every cluster, and nothing there. As in QEMU,
 * holes are asked for where an image has more clusters in use than its file takes of the disk.
 */
public final class HoleAwareDisk implements MappedDisk {
  private static final int BLOCK = 512;

  private final MappedDisk disk;

  /** The files, by name, of the layers that may have data in holes. */
  private final Map<String, HostFile> files;

  private HoleAwareDisk(MappedDisk disk, Map<String, HostFile> files) {
    this.disk = disk;
    this.files = files;
  }

  /**
   * A look at a disk that must not be written to meanwhile. Closing it does nothing.
   *
   * @param image what the disk is a state of
   */
  public static HoleAwareDisk over(MappedDisk disk, MappedDisk image) throws IOException {
    Map<String, HostFile> files = new HashMap<>();
    MappedDisk layer = image;
    while (layer instanceof Qcow2Image qcow2) {
      if (hasDataInHoles(qcow2)) {
        files.put(qcow2.file().name(), qcow2.file());
      }
      layer = qcow2.backing().orElse(null);
    }
    return new HoleAwareDisk(disk, files);
  }

  private static boolean hasDataInHoles(Qcow2Image image) throws IOException {
    HostFile file = image.file();
    long stored = file.storedBytes() / image.head().header().geometry().clusterSize();
    long suspicious = Math.max(stored * 10 / 9, stored + 2);
    try {
      return UsedClusters.atLeast(suspicious, file, image.head().header());
    } catch (ImageException _) {
      return false; // an image can be read whatever its refcounts are
    }
  }

  @Override
  public long size() {
    return disk.size();
  }

  @Override
  public void read(long at, ByteBuffer dst) throws IOException {
    disk.read(at, dst);
  }

  @Override
  public void mapLayers(long at, long length, int depth, MapSink sink) throws IOException {
    disk.mapLayers(
        at,
        length,
        depth,
        entry -> {
          HostFile file = entry.file().map(files::get).orElse(null);
          if (file == null || entry.kind() != MapEntry.Kind.DATA) {
            sink.accept(entry);
          } else {
            split(entry, file, sink);
          }
        });
  }

  private static void split(MapEntry entry, HostFile file, MapSink sink) throws IOException {
    long first = entry.offset().orElseThrow();
    long end = first + entry.length();
    long size = file.size();
    for (long at = first; at < end; ) {
      long data = at < size ? Math.min(file.nextData(at), end) : end;
      if (data > at) {
        sink.accept(part(entry, at - first, data - at, MapEntry.Kind.HOLE));
      }
      at = data;
      if (at < end) {
        long hole = Math.clamp(roundUp(file.nextHole(at)), at + 1, end);
        sink.accept(part(entry, at - first, hole - at, MapEntry.Kind.DATA));
        at = hole;
      }
    }
  }

  private static long roundUp(long at) {
    return (at + BLOCK - 1) & -BLOCK;
  }

  private static MapEntry part(MapEntry entry, long from, long length, MapEntry.Kind kind) {
    return new MapEntry(
        entry.start() + from,
        length,
        kind,
        entry.depth(),
        OptionalLong.of(entry.offset().orElseThrow() + from),
        entry.file());
  }

  @Override
  public void close() {}
}
