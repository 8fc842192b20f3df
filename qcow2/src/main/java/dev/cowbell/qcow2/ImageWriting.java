package dev.cowbell.qcow2;

import dev.cowbell.qcow2.Qcow2Image.Shrinking;
import dev.cowbell.qcow2.bitmap.BitmapRecorder;
import dev.cowbell.qcow2.compress.ClusterPacker;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.Zeroes;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.write.ImageWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * The side of an open image that changes it: a writer, and the bitmaps that record what it does.
 * Says in every complaint which image is meant.
 */
final class ImageWriting {
  private final String name;
  private final HeadWriter head;
  private final ImageWriter writer;
  private final BitmapRecorder recorder;
  private final ImageWriter.Reload reload;

  /**
   * @param reload takes the image up again when it has been edited
   */
  ImageWriting(
      ImageWriter.Parts parts,
      ImageWriter.State state,
      BitmapRecorder recorder,
      ImageWriter.Reload reload)
      throws UnsupportedFeatureException {
    this.name = parts.file().name();
    this.head = parts.head();
    this.writer = new ImageWriter(parts, state);
    this.recorder = recorder;
    this.reload = reload;
  }

  @FunctionalInterface
  private interface Change {
    void apply() throws IOException;
  }

  private void change(Change change) throws IOException {
    try {
      change.apply();
    } catch (ImageException e) {
      throw e.in(name);
    }
  }

  long beginReading() {
    return writer.beginReading();
  }

  void endReading(long stamp) {
    writer.endReading(stamp);
  }

  private long size() {
    return head.head().header().diskSize();
  }

  void write(long at, ByteBuffer src) throws IOException {
    Objects.checkFromIndexSize(at, (long) src.remaining(), size());
    change(() -> writer.write(at, src));
  }

  void writeZeroes(long at, long length, WritableDisk.ZeroSpace space) throws IOException {
    Objects.checkFromIndexSize(at, length, size());
    change(() -> writer.writeZeroes(at, length, space));
  }

  void discard(long at, long length) throws IOException {
    Objects.checkFromIndexSize(at, length, size());
    change(() -> writer.discard(at, length));
  }

  void flush() throws IOException {
    change(writer::flush);
  }

  void empty() throws IOException {
    change(writer::empty);
  }

  void writeCompressed(long at, ByteBuffer src, ClusterPacker packer) throws IOException {
    Objects.checkFromIndexSize(at, (long) src.remaining(), size());
    Geometry geometry = head.head().header().geometry();
    long end = at + src.remaining();
    if (!geometry.isClusterAligned(at) || (!geometry.isClusterAligned(end) && end != size())) {
      throw new IllegalArgumentException(
          "offset %d, length %d are not whole clusters of %d bytes"
              .formatted(at, src.remaining(), geometry.clusterSize()));
    }
    ByteBuffer cluster = ByteBuffer.allocateDirect(geometry.clusterSize());
    ByteBuffer packed = ByteBuffer.allocateDirect(geometry.clusterSize() - 1);
    for (long next = at; src.hasRemaining(); next += geometry.clusterSize()) {
      int length = Math.min(geometry.clusterSize(), src.remaining());
      cluster.clear().put(0, src, src.position(), length).position(length);
      Zeroes.fill(cluster);
      int packedLength = packer.pack(cluster.flip(), packed.clear());
      ByteBuffer plain = src.slice(src.position(), length);
      src.position(src.position() + length);
      long guest = next;
      change(() -> {
        if (packedLength < 0
            || !writer.writeCompressed(guest, packed.clear().limit(packedLength), length)) {
          writer.write(guest, plain);
        }
      });
    }
  }

  void resize(long newSize, Shrinking shrinking) throws IOException {
    change(() -> writer.resize(newSize, old -> check(old, newSize, shrinking), this::takeUp));
  }

  private static void check(long oldSize, long newSize, Shrinking shrinking) {
    if (newSize < oldSize && shrinking == Shrinking.REFUSED) {
      throw new IllegalArgumentException(
          "the disk would shrink from %d to %d bytes, which was not allowed"
              .formatted(oldSize, newSize));
    }
  }

  <T> T edit(ImageWriter.Edit<T> edit) throws IOException {
    try {
      return writer.edit(edit, this::takeUp);
    } catch (ImageException e) {
      throw e.in(name);
    }
  }

  private ImageWriter.State takeUp(HeadWriter edited) throws IOException {
    Header header = edited.head().header();
    recorder.follow(header.diskSize());
    return reload.from(edited);
  }

  void close() throws IOException {
    change(writer::close);
  }
}
