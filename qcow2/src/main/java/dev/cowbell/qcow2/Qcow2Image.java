package dev.cowbell.qcow2;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.bitmap.BitmapRecorder;
import dev.cowbell.qcow2.compress.ClusterPacker;
import dev.cowbell.qcow2.compress.CompressedClusters;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.map.ChangedExtents;
import dev.cowbell.qcow2.map.ClusterMap;
import dev.cowbell.qcow2.map.L2Cache;
import dev.cowbell.qcow2.map.TableChanges;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import dev.cowbell.qcow2.snapshot.SnapshotEditor;
import dev.cowbell.qcow2.snapshot.SnapshotTable;
import dev.cowbell.qcow2.write.ImageWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A qcow2 image with its backing chain: the active state, and through {@link #openSnapshot} each
 * internal snapshot. Opened with {@link OpenOptions.Access#READ_WRITE} its active state can be
 * written to; otherwise every change throws a {@link ReadOnlyImageException}. Enabled persistent
 * bitmaps record what is written; they are marked in use in the file until the image is closed.
 *
 * <p>All methods allow concurrent calls; none may run while the image is being closed. What {@link
 * #clusters()} and its kin hand out must not be used while the image is written to.
 */
public final class Qcow2Image implements WritableDisk {
  private static final int MAPPED_AT_ONCE = 1 << 20;

  private final HostFile file;
  private final StoredData data;
  private final @Nullable MappedDisk backing;
  private final L2Cache cache;
  private final CompressedClusters compressed;
  private final @Nullable ImageWriting writing;

  /** Replaced under the writer's exclusive lock. */
  private volatile Present present;

  /** What of an image can change while it is open for writing. */
  private record Present(ImageHead head, SnapshotTable snapshots, Qcow2Layer active) {}

  /** Opens for reading. */
  Qcow2Image(
      HostFile file, ImageHead head, StoredData data, @Nullable MappedDisk backing, L2Cache cache)
      throws IOException {
    this.file = file;
    this.data = data;
    this.backing = backing;
    this.cache = cache;
    this.compressed = compressed(file, head.header());
    this.present = present(head, ClusterMap.ofActiveState(file, head.header(), cache));
    this.writing = null;
  }

  /** Opens for reading and writing; takes over what it is given once this has succeeded. */
  Qcow2Image(
      HostFile file,
      StoredData data,
      @Nullable MappedDisk backing,
      L2Cache cache,
      OpenOptions options)
      throws IOException {
    HeadWriter head = HeadWriter.open(file);
    this.file = file;
    this.data = data;
    this.backing = backing;
    this.cache = cache;
    this.compressed = compressed(file, head.head().header());
    ClusterAllocator allocator = ClusterAllocator.open(file, head);
    BitmapRecorder recorder = BitmapRecorder.load(file, head.head());
    TableChanges changes = TableChanges.read(file, head.head().header(), cache);
    this.present = present(head.head(), ClusterMap.ofChanges(changes));
    ImageWriter.Parts parts =
        new ImageWriter.Parts(
            file,
            data.file().equals(file) ? List.of(file) : List.of(data.file(), file),
            head,
            data,
            backing != null,
            backing == null ? 0 : backing.size(),
            options.barriers(),
            options.lazyRefcounts(),
            recorder);
    this.writing =
        new ImageWriting(parts, state(present, allocator, changes), recorder, this::reload);
    recorder.begin(head);
    present = new Present(head.head(), present.snapshots(), present.active());
  }

  private static CompressedClusters compressed(HostFile file, Header header) {
    return new CompressedClusters(file, header.compressionType(), header.geometry().clusterSize());
  }

  private Present present(ImageHead head, ClusterMap clusters) throws IOException {
    Header header = head.header();
    return new Present(head, SnapshotTable.read(file, header), layer(header.diskSize(), clusters));
  }

  private Qcow2Layer layer(long size, ClusterMap clusters) {
    return new Qcow2Layer(file.name(), size, clusters, data, compressed, backing);
  }

  private static ImageWriter.State state(
      Present present, ClusterAllocator allocator, TableChanges changes) {
    Qcow2Layer layer = present.active();
    return new ImageWriter.State(allocator, changes, layer::read, layer.size());
  }

  /** Takes the image up again as it is in its file, under the writer's exclusive lock. */
  private ImageWriter.State reload(HeadWriter head) throws IOException {
    cache.forget(file);
    TableChanges changes = TableChanges.read(file, head.head().header(), cache);
    Present next = present(head.head(), ClusterMap.ofChanges(changes));
    present = next;
    return state(next, ClusterAllocator.open(file, head), changes);
  }

  private ImageWriting writing() throws ReadOnlyImageException {
    if (writing == null) {
      throw new ReadOnlyImageException(file.name() + ": the image was opened for reading only");
    }
    return writing;
  }

  /**
   * Lets somebody edit the image in its file while everything is written back and nothing else goes
   * on, and takes it up again as it is then. For edits of the image's structure that take a file, a
   * {@link HeadWriter} and a {@link ClusterAllocator}, and leave nothing uncommitted behind.
   *
   * @throws ReadOnlyImageException if the image was opened for reading only
   */
  public <T> T edit(ImageWriter.Edit<T> edit) throws IOException {
    return writing().edit(edit);
  }

  /**
   * Makes an internal snapshot of what the disk holds now, everything written so far included.
   * Durable when this returns; reading and writing wait meanwhile.
   *
   * @return the new snapshot
   * @throws SnapshotRefusedException if its name or the number of snapshots does not allow it
   * @throws UnsupportedFeatureException if a refcount would not fit its width, or guest data lies
   *     in an external data file; the image is as before
   * @throws ReadOnlyImageException if the image was opened for reading only
   */
  public SnapshotEntry createSnapshot(NewSnapshot wanted) throws IOException {
    return edit(
        (own, headWriter, clusters) -> SnapshotEditor.on(own, headWriter, clusters).create(wanted));
  }

  /**
   * Deletes an internal snapshot. Durable when this returns; reading and writing wait meanwhile.
   *
   * @param wanted an id, else a name
   * @throws SnapshotNotFoundException if there is none
   * @throws ReadOnlyImageException if the image was opened for reading only
   */
  public void deleteSnapshot(String wanted) throws IOException {
    edit((own, headWriter, clusters) -> {
      SnapshotEditor.on(own, headWriter, clusters).delete(wanted);
      return own;
    });
  }

  /**
   * Makes the disk hold what an internal snapshot holds, its size included; what it holds now is
   * lost unless another snapshot has it. Durable when this returns; reading and writing wait
   * meanwhile.
   *
   * @param wanted an id, else a name
   * @return the snapshot
   * @throws SnapshotNotFoundException if there is none
   * @throws SnapshotRefusedException if the image has persistent bitmaps, or is of version 2 and
   *     would get another size
   * @throws UnsupportedFeatureException if a refcount would not fit its width
   * @throws ReadOnlyImageException if the image was opened for reading only
   */
  public SnapshotEntry applySnapshot(String wanted) throws IOException {
    return edit(
        (own, headWriter, clusters) -> SnapshotEditor.on(own, headWriter, clusters).apply(wanted));
  }

  /**
   * Drops everything that the image itself holds of its disk, durably: all of it comes from the
   * backing file afterwards. Internal snapshots keep what they have. Persistent bitmaps do not take
   * it for a change: it is meant for an image whose backing file reads the same already.
   *
   * @throws IllegalStateException if there is no backing file
   * @throws ReadOnlyImageException if the image was opened for reading only
   */
  public void empty() throws IOException {
    if (backing == null) {
      throw new IllegalStateException(file.name() + ": there is no backing file");
    }
    writing().empty();
  }

  /**
   * Opens an image by its path.
   *
   * @throws ImageException if it can't be used; the subclass says why
   * @throws IOException if a file can't be opened or read
   */
  public static Qcow2Image open(Path path, OpenOptions options) throws IOException {
    return adopt(options.io().open(path, options.lock()), options);
  }

  /**
   * Opens the image that a file holds, and takes the file over: closing the image closes it, and so
   * does a failure to open it.
   */
  public static Qcow2Image adopt(HostFile file, OpenOptions options) throws IOException {
    return new ChainOpener(options).openImage(file, false);
  }

  /**
   * Opens what an image could name as its backing file, with the backing chain below it.
   *
   * @param referrer the image's file, which the chain must not come back to
   * @param name as it would stand in the image
   * @param format as it would stand in the image: {@code qcow2} or {@code raw}
   */
  public static MappedDisk openBackingFile(
      HostFile referrer, String name, String format, OpenOptions options) throws IOException {
    try {
      return new ChainOpener(options).openNamed(referrer, name, format);
    } catch (ImageException e) {
      throw e.in(referrer.name());
    }
  }

  /**
   * Reads just the first cluster of an image: header, extensions, and the backing file's name.
   * Where tables lie is not checked yet; see {@link Header#checkTables()}.
   */
  public static ImageHead readHead(HostFile file) throws IOException {
    try {
      return ChainOpener.readHead(file);
    } catch (ImageException e) {
      throw e.in(file.name());
    }
  }

  /** Header, extensions, and the backing file's name. */
  public ImageHead head() {
    return present.head();
  }

  /** The file that the image is in. */
  public HostFile file() {
    return file;
  }

  /** The disk below, where it was opened. */
  public Optional<MappedDisk> backing() {
    return backing instanceof LeftOutBacking ? Optional.empty() : Optional.ofNullable(backing);
  }

  /** How look-ups of L2 tables went, in this image and the layers below it together. */
  public L2Cache.Statistics l2CacheStatistics() {
    return cache.statistics();
  }

  /** The internal snapshots. */
  public SnapshotTable snapshots() {
    return present.snapshots();
  }

  /**
   * The disk as an internal snapshot holds it, at the snapshot's own size, above the backing file
   * as it is now. To be used while the image is open; closing it does nothing.
   *
   * @throws CorruptImageException if the snapshot's L1 table is out of bounds
   */
  public MappedDisk openSnapshot(SnapshotEntry snapshot) throws IOException {
    return layer(snapshotSize(snapshot), clusters(snapshot));
  }

  /** The size of the disk that a snapshot holds, in bytes. */
  public long snapshotSize(SnapshotEntry snapshot) {
    return snapshot.diskSize().orElse(size());
  }

  /** Where the active state's bytes are. */
  public ClusterMap clusters() {
    return present.active().clusters();
  }

  /** Where an internal snapshot's bytes are. */
  public ClusterMap clusters(SnapshotEntry snapshot) throws IOException {
    try {
      snapshot.checkL1(head().header().geometry(), snapshotSize(snapshot));
    } catch (ImageException e) {
      throw e.in(file.name());
    }
    return ClusterMap.ofSnapshot(file, head().header(), snapshot, cache);
  }

  /**
   * The guest bytes that may differ between two internal snapshots, in whole clusters, found by
   * their tables alone.
   */
  public ExtentSet changes(SnapshotEntry from, SnapshotEntry to) throws IOException {
    return changes(clusters(from), snapshotSize(from), clusters(to), snapshotSize(to));
  }

  /** The guest bytes that may differ between an internal snapshot and the active state. */
  public ExtentSet changesSince(SnapshotEntry from) throws IOException {
    return changes(clusters(from), snapshotSize(from), clusters(), size());
  }

  private ExtentSet changes(ClusterMap from, long fromSize, ClusterMap to, long toSize)
      throws IOException {
    try {
      return ChangedExtents.between(from, fromSize, to, toSize, backing != null);
    } catch (ImageException e) {
      throw e.in(file.name());
    }
  }

  /** The guest bytes that this image decides by itself, not its backing file. */
  public ExtentSet allocated() throws IOException {
    return ChangedExtents.allocated(clusters(), size());
  }

  @Override
  public long size() {
    return present.active().size();
  }

  @Override
  public void read(long at, ByteBuffer dst) throws IOException {
    if (writing == null) {
      present.active().read(at, dst);
      return;
    }
    long stamp = writing.beginReading();
    try {
      present.active().read(at, dst);
    } finally {
      writing.endReading(stamp);
    }
  }

  @Override
  public void mapLayers(long at, long length, int depth, MapSink sink) throws IOException {
    if (writing == null) {
      present.active().mapLayers(at, length, depth, sink);
      return;
    }
    Objects.checkFromIndexSize(at, length, size());
    // The sink may want to read, so it is called without the lock, and the map of a large disk in
    // pieces.
    long step = Math.max(MAPPED_AT_ONCE, head().header().geometry().l2Coverage());
    for (long next = at; next < at + length; next += step) {
      List<MapEntry> entries = new ArrayList<>();
      long stamp = writing.beginReading();
      try {
        present.active().mapLayers(next, Math.min(step, at + length - next), depth, entries::add);
      } finally {
        writing.endReading(stamp);
      }
      for (MapEntry entry : entries) {
        sink.accept(entry);
      }
    }
  }

  @Override
  public void write(long at, ByteBuffer src) throws IOException {
    writing().write(at, src);
  }

  @Override
  public void writeZeroes(long at, long length, ZeroSpace space) throws IOException {
    writing().writeZeroes(at, length, space);
  }

  @Override
  public void discard(long at, long length) throws IOException {
    writing().discard(at, length);
  }

  @Override
  public void flush() throws IOException {
    writing().flush();
  }

  /**
   * Writes whole clusters compressed, each as the image's compression type says, and those that do
   * not shrink as they are.
   *
   * @param at a multiple of the cluster size
   * @param src whole clusters; the last one may be short where the disk ends
   * @throws IllegalArgumentException if the range is not made of whole clusters
   * @throws UnsupportedFeatureException if the image can't hold them: {@link #canCompress}
   */
  public void writeCompressed(long at, ByteBuffer src, ClusterPacker packer) throws IOException {
    if (!canCompress()) {
      throw new UnsupportedFeatureException(
          file.name()
              + ": nothing is compressed in an image that is encrypted or has an external data file");
    }
    writing().writeCompressed(at, src, packer);
  }

  /**
   * Whether clusters can be stored compressed. With an external data file they can't; in encrypted
   * images they would be stored in plain, so they are not.
   */
  public boolean canCompress() {
    return data instanceof StoredData.Plain(HostFile plain) && plain.equals(file);
  }

  /** Whether a resize may throw away what is behind the new end. */
  public enum Shrinking {
    REFUSED,
    ALLOWED
  }

  /**
   * Gives the disk another size, durable when this returns. What is new reads as zeroes. An image
   * of version 2 that has internal snapshots can't be resized.
   *
   * @param newSize in bytes, a multiple of 512
   * @throws IllegalArgumentException if the disk would shrink and that was not allowed
   * @throws UnsupportedFeatureException if the format does not allow it
   * @throws BitmapRefusedException if a bitmap can't follow; the image is as before
   */
  public void resize(long newSize, Shrinking shrinking) throws IOException {
    if (newSize < 0 || newSize % 512 != 0) {
      throw new IllegalArgumentException("a size of " + newSize + " is no multiple of 512");
    }
    writing().resize(newSize, shrinking);
  }

  /** Writes back what is not written yet, so that a check finds nothing, and closes all files. */
  @Override
  public void close() throws IOException {
    try (HostFile _ = file;
        StoredData _ = data;
        MappedDisk _ = backing;
        CompressedClusters _ = compressed) {
      // All are closed, whichever fails.
      if (writing != null) {
        writing.close();
      }
    }
  }
}
