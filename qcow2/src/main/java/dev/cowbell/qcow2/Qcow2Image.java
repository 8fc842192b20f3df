package dev.cowbell.qcow2;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.compress.CompressedClusters;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.map.ChangedExtents;
import dev.cowbell.qcow2.map.ClusterMap;
import dev.cowbell.qcow2.map.L2Cache;
import dev.cowbell.qcow2.snapshot.SnapshotTable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A qcow2 image open for reading, with its backing chain: the active state, and through {@link
 * #openSnapshot} each internal snapshot. All methods allow concurrent calls; none may run while the
 * image is being closed.
 */
public final class Qcow2Image implements MappedDisk {
  private final HostFile file;
  private final ImageHead head;
  private final StoredData data;
  private final @Nullable MappedDisk backing;
  private final L2Cache cache;
  private final SnapshotTable snapshots;
  private final CompressedClusters compressed;
  private final Qcow2Layer active;

  Qcow2Image(
      HostFile file, ImageHead head, StoredData data, @Nullable MappedDisk backing, L2Cache cache)
      throws IOException {
    Header header = head.header();
    this.file = file;
    this.head = head;
    this.data = data;
    this.backing = backing;
    this.cache = cache;
    this.snapshots = SnapshotTable.read(file, header);
    this.compressed =
        new CompressedClusters(file, header.compressionType(), header.geometry().clusterSize());
    this.active = layer(header.diskSize(), ClusterMap.ofActiveState(file, header, cache));
  }

  /**
   * Opens an image by its path.
   *
   * @throws ImageException if it can't be used; the subclass says why
   * @throws IOException if a file can't be opened or read
   */
  public static Qcow2Image open(Path path, OpenOptions options) throws IOException {
    return adopt(ChannelHostFile.open(path, options.lock()), options);
  }

  /**
   * Opens the image that a file holds, and takes the file over: closing the image closes it, and so
   * does a failure to open it.
   */
  public static Qcow2Image adopt(HostFile file, OpenOptions options) throws IOException {
    return new ChainOpener(options).openImage(file, false);
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
    return head;
  }

  /** The file that the image is in. */
  public HostFile file() {
    return file;
  }

  /** The disk below, where it was opened. */
  public Optional<MappedDisk> backing() {
    return backing instanceof LeftOutBacking ? Optional.empty() : Optional.ofNullable(backing);
  }

  /** The internal snapshots. */
  public SnapshotTable snapshots() {
    return snapshots;
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
    return active.clusters();
  }

  /** Where an internal snapshot's bytes are. */
  public ClusterMap clusters(SnapshotEntry snapshot) throws IOException {
    try {
      snapshot.checkL1(head.header().geometry(), snapshotSize(snapshot));
    } catch (ImageException e) {
      throw e.in(file.name());
    }
    return ClusterMap.ofSnapshot(file, head.header(), snapshot, cache);
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
    return active.size();
  }

  @Override
  public void read(long at, ByteBuffer dst) throws IOException {
    active.read(at, dst);
  }

  @Override
  public void mapLayers(long at, long length, int depth, MapSink sink) throws IOException {
    active.mapLayers(at, length, depth, sink);
  }

  private Qcow2Layer layer(long size, ClusterMap clusters) {
    return new Qcow2Layer(file.name(), size, clusters, data, compressed, backing);
  }

  @Override
  public void close() throws IOException {
    compressed.close();
    try (HostFile _ = file;
        StoredData _ = data;
        MappedDisk _ = backing) {
      // All are closed, whichever fails.
    }
  }
}
