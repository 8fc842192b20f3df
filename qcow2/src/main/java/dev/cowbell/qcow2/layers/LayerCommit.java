package dev.cowbell.qcow2.layers;

import dev.cowbell.qcow2.MapEntry;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.Qcow2Image.Shrinking;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.ReferenceException;
import dev.cowbell.qcow2.WritableDisk;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes what an image holds into a layer below it, as {@code qemu-img commit} does. The layer
 * below is durable before the image loses anything, and until then the image covers all that
 * changes below it: {@code docs/layers.md} has the order of steps.
 */
public final class LayerCommit {
  private static final int CHUNK = 2 << 20;
  private static final long WINDOW = 64L << 20;

  private final OpenOptions options;
  private final LayerListener listener;

  /** What becomes of the image afterwards. */
  public enum Afterwards {
    /** It is emptied: all of it comes from the layer below. */
    EMPTY,
    /** It stays as it is. */
    KEEP
  }

  /**
   * Prepares for commits.
   *
   * @param options how to open images and follow references; what is written is up to the commit
   */
  public LayerCommit(OpenOptions options, LayerListener listener) {
    this.options = options;
    this.listener = listener;
  }

  /**
   * Commits an image into its backing file, which grows if it is smaller.
   *
   * @throws ReferenceException if it has none
   */
  public void intoBackingFile(Path image, Afterwards afterwards) throws IOException {
    run(image, 1, afterwards);
  }

  /**
   * Commits an image, and all layers between, into a layer of its backing chain. The image stays as
   * it is; layers between read differently afterwards and are of no more use by themselves.
   *
   * @param base how the layer above refers to it, or a path to it
   * @throws ReferenceException if it is not in the chain
   */
  public void intoLayer(Path image, String base) throws IOException {
    OpenOptions reading = options.withAccess(Access.READ_ONLY);
    run(image, BaseLayer.depth(image, base, reading), Afterwards.KEEP);
  }

  private void run(Path path, int depth, Afterwards afterwards) throws IOException {
    OpenOptions writing = options.withAccess(Access.READ_WRITE).withWrittenLayer(depth);
    try (Qcow2Image image = Qcow2Image.open(path, writing)) {
      run(image, depth, afterwards);
    }
  }

  /** Commits an image that was opened for this. */
  void run(Qcow2Image image, int depth, Afterwards afterwards) throws IOException {
    WritableDisk base = (WritableDisk) BaseLayer.at(image, depth);
    listener.begin(image.size());
    long before = base.size();
    if (before < image.size()) {
      grow(base, image.size());
    }
    copy(image, depth, base, before);
    base.flush();
    if (afterwards == Afterwards.EMPTY) {
      image.empty();
      image.edit(SpareSpace::giveBack);
    }
  }

  private static void grow(MappedDisk base, long size) throws IOException {
    switch (base) {
      case Qcow2Image image -> image.resize(size, Shrinking.REFUSED);
      case RawDisk raw -> raw.resize(size);
      default -> throw new IllegalStateException("no layer of an image: " + base);
    }
  }

  /**
   * Writes what the upper layers decide.
   *
   * @param zeroFrom from here on the base is known to read as zeroes
   */
  private void copy(Qcow2Image image, int depth, WritableDisk base, long zeroFrom)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK);
    List<MapEntry> above = new ArrayList<>();
    for (long at = 0; at < image.size(); at += WINDOW) {
      long length = Math.min(WINDOW, image.size() - at);
      above.clear();
      image.map(
          at,
          length,
          entry -> {
            if (entry.depth() < depth) {
              above.add(entry);
            }
          });
      for (MapEntry entry : above) {
        if (entry.data()) {
          copyData(image, base, entry, buffer);
        } else if (entry.start() < zeroFrom) {
          long end = Math.min(entry.end(), zeroFrom);
          base.writeZeroes(entry.start(), end - entry.start(), ZeroSpace.MAY_FREE);
        }
      }
      listener.done(length);
    }
  }

  private void copyData(Qcow2Image image, WritableDisk base, MapEntry entry, ByteBuffer buffer)
      throws IOException {
    for (long at = entry.start(); at < entry.end(); at += buffer.limit()) {
      buffer.clear().limit((int) Math.min(CHUNK, entry.end() - at));
      image.read(at, buffer);
      base.write(at, buffer.flip());
      listener.done(0);
    }
  }
}
