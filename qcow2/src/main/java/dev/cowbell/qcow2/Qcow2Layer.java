package dev.cowbell.qcow2;

import dev.cowbell.qcow2.compress.CompressedClusters;
import dev.cowbell.qcow2.io.Zeroes;
import dev.cowbell.qcow2.map.ClusterMap;
import dev.cowbell.qcow2.map.MapCursor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * What one L1 table of an image shows: the active state or an internal snapshot. Moves bytes to
 * where the {@link ClusterMap} says; owns nothing.
 */
final class Qcow2Layer implements MappedDisk {
  private final String image;
  private final long size;
  private final ClusterMap clusters;
  private final StoredData data;
  private final CompressedClusters compressed;
  private final @Nullable MappedDisk backing;
  private final Optional<String> dataName;

  /**
   * @param image the image's name, for messages
   * @param data the uncompressed guest data
   * @param backing what shows through where the image says nothing; null for zeroes
   */
  Qcow2Layer(
      String image,
      long size,
      ClusterMap clusters,
      StoredData data,
      CompressedClusters compressed,
      @Nullable MappedDisk backing) {
    this.image = image;
    this.size = size;
    this.clusters = clusters;
    this.data = data;
    this.compressed = compressed;
    this.backing = backing;
    this.dataName = data.plainFile();
  }

  @Override
  public long size() {
    return size;
  }

  ClusterMap clusters() {
    return clusters;
  }

  @Override
  public void read(long at, ByteBuffer dst) throws IOException {
    Objects.checkFromIndexSize(at, (long) dst.remaining(), size);
    MapCursor cursor = clusters.cursor(at, dst.remaining());
    int limit = dst.limit();
    try {
      boolean more = cursor.next();
      while (more) {
        if (cursor.kind() == MapCursor.Kind.COMPRESSED) {
          more = compressed.read(cursor, dst);
        } else {
          dst.limit(dst.position() + (int) cursor.length());
          readRun(cursor, dst);
          dst.limit(limit);
          more = cursor.next();
        }
      }
    } catch (ImageException e) {
      throw e.in(image);
    } finally {
      dst.limit(limit);
    }
  }

  private void readRun(MapCursor run, ByteBuffer dst) throws IOException {
    switch (run.kind()) {
      case DATA -> data.read(run.offset(), run.hostOffset(), dst);
      case UNALLOCATED -> readBacking(run.offset(), dst);
      case ZERO, COMPRESSED -> Zeroes.fill(dst);
    }
  }

  private void readBacking(long at, ByteBuffer dst) throws IOException {
    MappedDisk below = backing;
    long covered = below == null ? 0 : Math.clamp(below.size() - at, 0, dst.remaining());
    if (below != null && covered > 0) {
      int limit = dst.limit();
      dst.limit(dst.position() + (int) covered);
      below.read(at, dst);
      dst.limit(limit);
    }
    Zeroes.fill(dst);
  }

  @Override
  public void mapLayers(long at, long length, int depth, MapSink sink) throws IOException {
    Objects.checkFromIndexSize(at, length, size);
    MapCursor cursor = clusters.cursor(at, length);
    while (cursor.next()) {
      switch (cursor.kind()) {
        case DATA -> sink.accept(entry(cursor, MapEntry.Kind.DATA, depth));
        case ZERO -> sink.accept(entry(cursor, MapEntry.Kind.ZERO, depth));
        case COMPRESSED -> sink.accept(entry(cursor, MapEntry.Kind.COMPRESSED, depth));
        case UNALLOCATED -> mapBacking(cursor, depth, sink);
      }
    }
  }

  /** Beyond the backing file's end it is this layer that makes up the zeroes. */
  private void mapBacking(MapCursor run, int depth, MapSink sink) throws IOException {
    MappedDisk below = backing;
    long covered = below == null ? 0 : Math.clamp(below.size() - run.offset(), 0, run.length());
    if (below != null && covered > 0) {
      below.mapLayers(run.offset(), covered, depth + 1, sink);
    }
    if (covered < run.length()) {
      MapEntry whole = entry(run, MapEntry.Kind.ABSENT, depth);
      OptionalLong host =
          whole.offset().isPresent()
              ? OptionalLong.of(whole.offset().getAsLong() + covered)
              : OptionalLong.empty();
      sink.accept(
          new MapEntry(
              run.offset() + covered,
              run.length() - covered,
              MapEntry.Kind.ABSENT,
              depth,
              host,
              whole.file()));
    }
  }

  private MapEntry entry(MapCursor run, MapEntry.Kind kind, int depth) {
    boolean placed =
        dataName.isPresent()
            && kind != MapEntry.Kind.COMPRESSED
            && run.hostOffset() != MapCursor.NOWHERE;
    return new MapEntry(
        run.offset(),
        run.length(),
        kind,
        depth,
        placed ? OptionalLong.of(run.hostOffset()) : OptionalLong.empty(),
        placed ? dataName : Optional.empty());
  }

  @Override
  public void close() {}
}
