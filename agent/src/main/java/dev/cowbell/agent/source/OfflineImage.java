package dev.cowbell.agent.source;

import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.SourceRecord;
import dev.cowbell.agent.repository.SourceRecord.BackingIdentity;
import dev.cowbell.agent.repository.SourceRecord.SnapshotIdentity;
import dev.cowbell.agent.repository.TrackingRecord;
import dev.cowbell.agent.source.DiskFacts.BitmapFact;
import dev.cowbell.agent.source.DiskFacts.BitmapState;
import dev.cowbell.agent.source.DiskFacts.Layer;
import dev.cowbell.agent.source.DiskFacts.TrackingAbility;
import dev.cowbell.agent.source.OfflineImages.Access;
import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.bitmap.BitmapEditor;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.overlay.OverlaySizing;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * An image that no VM has open, locked as QEMU would lock it, with everything a backup asks of it:
 * what it shows of itself, its bytes, where it changed, and its tracking bitmaps.
 */
public final class OfflineImage implements Closeable {

  /** How much of a disk is looked at in one go, in bytes. */
  private static final long WINDOW = 8L << 30;

  private final DiskName disk;
  private final Path path;
  private final OpenedImage opened;
  private final Optional<SnapshotEntry> snapshot;
  private final List<MappedDisk> layers;
  private final MappedDisk content;

  private OfflineImage(DiskName disk, Path path, OpenedImage opened, Optional<String> snapshot)
      throws IOException {
    this.disk = disk;
    this.path = path;
    this.opened = opened;
    this.layers = opened.layers();
    if (snapshot.isPresent()) {
      Qcow2Image image = opened.qcow2(disk, "has no internal snapshots");
      SnapshotEntry entry = image.snapshots().find(snapshot.get());
      this.snapshot = Optional.of(entry);
      this.content = image.openSnapshot(entry);
    } else {
      this.snapshot = Optional.empty();
      this.content = opened.disk();
    }
  }

  /**
   * Opens and locks an image and the files below it.
   *
   * @throws dev.cowbell.qcow2.ImageLockedException if somebody uses it
   */
  static OfflineImage open(OfflineImages.Request request, Access access) throws IOException {
    boolean bitmapWanted = access == Access.TRACK && request.snapshot().isEmpty();
    OpenedImage opened =
        OpenedImage.open(
            request.path(),
            request.format(),
            bitmapWanted ? Access.TRACK : Access.READ,
            request.decryption());
    try {
      return new OfflineImage(
          request.disk(), request.path().toAbsolutePath(), opened, request.snapshot());
    } catch (IOException | RuntimeException e) {
      opened.disk().close();
      throw e;
    }
  }

  /** The bytes to back up. Its size is the disk's, rounded up to 512 as qcow2 wants it. */
  public GuestDisk content() {
    return content;
  }

  /** The exact size of the disk in bytes; a raw file's may be no multiple of 512. */
  public long size() throws IOException {
    return content instanceof RawDisk raw ? raw.file().size() : content.size();
  }

  /** The image's cluster size in bytes; what a raw image would have. */
  public int clusterSize() {
    return opened.disk() instanceof Qcow2Image image
        ? image.head().header().geometry().clusterSize()
        : OverlaySizing.DEFAULT_CLUSTER;
  }

  /** How many bytes of the content are data. Takes a walk through the image's tables. */
  public long dataBytes() throws IOException {
    long data = 0;
    for (long at = 0; at < content.size(); at += WINDOW) {
      for (Extent extent : content.extents(at, Math.min(WINDOW, content.size() - at))) {
        data += extent.status() == Extent.Status.DATA ? extent.length() : 0;
      }
    }
    return data;
  }

  /** What the image shows of itself; of bitmaps, ours and {@code wanted} with their bits. */
  public DiskFacts facts(Optional<String> wanted) throws IOException {
    List<Layer> facts = new ArrayList<>();
    for (MappedDisk layer : layers) {
      facts.add(
          new Layer(identity(fileOf(layer)), layer.size(), bitmapsOf(layer, wanted.orElse(""))));
    }
    return new DiskFacts(
        disk,
        size(),
        snapshot.map(OfflineImage::identity),
        snapshots().stream().map(OfflineImage::identity).toList(),
        facts,
        opened.tracking());
  }

  private List<SnapshotEntry> snapshots() {
    return opened.disk() instanceof Qcow2Image image ? image.snapshots().entries() : List.of();
  }

  private static SnapshotIdentity identity(SnapshotEntry entry) {
    return new SnapshotIdentity(
        entry.id(),
        entry.name(),
        Instant.ofEpochSecond(entry.dateSec(), entry.dateNsec()),
        entry.vmClockNsec());
  }

  private static HostFile fileOf(MappedDisk layer) {
    return switch (layer) {
      case Qcow2Image image -> image.file();
      case RawDisk raw -> raw.file();
      default -> throw new IllegalStateException("a layer of an unknown kind: " + layer);
    };
  }

  private static BackingIdentity identity(HostFile file) throws IOException {
    Path path = Path.of(file.name()).toAbsolutePath();
    return new BackingIdentity(
        path.toString(),
        file.size(),
        Files.getLastModifiedTime(path).toInstant().truncatedTo(ChronoUnit.MILLIS));
  }

  private static List<BitmapFact> bitmapsOf(MappedDisk layer, String wanted) throws IOException {
    if (!(layer instanceof Qcow2Image image)) {
      return List.of();
    }
    PersistentBitmaps bitmaps = PersistentBitmaps.read(image.file(), image.head());
    List<BitmapFact> facts = new ArrayList<>();
    for (BitmapInfo info : bitmaps.list()) {
      boolean read = info.name().startsWith(TrackingRecord.PREFIX) || info.name().equals(wanted);
      facts.add(read ? withBits(bitmaps, info, image.size()) : fact(info, image.size()));
    }
    return facts;
  }

  private static BitmapFact fact(BitmapInfo info, long size) {
    return new BitmapFact(info.name(), info.granularity(), state(info), size, Optional.empty());
  }

  private static BitmapState state(BitmapInfo info) {
    if (info.inUse()) {
      return BitmapState.IN_USE;
    }
    return info.enabled() ? BitmapState.RECORDING : BitmapState.DISABLED;
  }

  private static BitmapFact withBits(PersistentBitmaps bitmaps, BitmapInfo info, long size)
      throws IOException {
    if (info.inUse()) {
      return fact(info, size);
    }
    try {
      DirtyBitmap bits = bitmaps.load(info.name());
      return new BitmapFact(info.name(), info.granularity(), state(info), size, Optional.of(bits));
    } catch (ImageException e) {
      return new BitmapFact(
          info.name(), info.granularity(), BitmapState.INCONSISTENT, size, Optional.empty());
    }
  }

  /**
   * The dirty bytes of a bitmap.
   *
   * @param layer which file of the chain has it; 0 is the image
   */
  public ExtentSet dirty(int layer, String bitmap) throws IOException {
    Qcow2Image image = (Qcow2Image) layers.get(layer);
    return PersistentBitmaps.read(image.file(), image.head()).load(bitmap).toExtents();
  }

  /**
   * What the files above a layer say something about.
   *
   * @param above how many, from the image down
   */
  public ExtentSet allocatedAbove(int above) throws IOException {
    ExtentSet allocated = ExtentSet.empty();
    for (MappedDisk layer : layers.subList(0, above)) {
      allocated = allocated.union(((Qcow2Image) layer).allocated());
    }
    return allocated;
  }

  /**
   * Where two states of the image may differ, as its tables tell.
   *
   * @param from a snapshot; empty for the active state
   * @param to another snapshot, or the active state
   */
  public ExtentSet difference(Optional<SnapshotIdentity> from, Optional<SnapshotIdentity> to)
      throws IOException {
    if (from.equals(to)) {
      return ExtentSet.empty();
    }
    Qcow2Image image = opened.qcow2(disk, "has no internal snapshots");
    if (from.isPresent() && to.isPresent()) {
      return image.changes(entry(from.get()), entry(to.get()));
    }
    return image.changesSince(entry(from.or(() -> to).orElseThrow()));
  }

  private SnapshotEntry entry(SnapshotIdentity wanted) throws IOException {
    return snapshots().stream()
        .filter(entry -> identity(entry).equals(wanted))
        .findFirst()
        .orElseThrow(() -> new IOException(path + ": snapshot \"" + wanted.name() + "\" is gone"));
  }

  /** What was backed up, for the manifest. */
  public SourceRecord record() throws IOException {
    List<BackingIdentity> below = new ArrayList<>();
    for (MappedDisk layer : layers.subList(1, layers.size())) {
      below.add(identity(fileOf(layer)));
    }
    return new SourceRecord(
        path.toString(),
        opened.format().word(),
        OpenedImage.encryption(layers),
        snapshot.map(OfflineImage::identity),
        below);
  }

  /** Adds a bitmap that records from now on, with its sentinel set. */
  public void addBitmap(TrackingRecord tracking) throws IOException {
    edit(editor -> TrackingBitmap.add(editor, tracking));
  }

  /** Removes a bitmap. */
  public void removeBitmap(TrackingRecord tracking) throws IOException {
    edit(editor -> editor.remove(tracking.bitmap()));
  }

  /** Removes every bitmap of ours but one. */
  public void removeBitmapsBut(TrackingRecord kept) throws IOException {
    edit(editor -> {
      Collection<String> ours =
          editor.list().stream()
              .map(BitmapInfo::name)
              .filter(name -> name.startsWith(TrackingRecord.PREFIX))
              .filter(name -> !name.equals(kept.bitmap()))
              .toList();
      for (String name : ours) {
        editor.remove(name);
      }
    });
  }

  @FunctionalInterface
  private interface Edit {
    void apply(BitmapEditor editor) throws IOException;
  }

  private void edit(Edit edit) throws IOException {
    HostFile file = opened.qcow2(disk, "holds no bitmaps").file();
    try (BitmapEditor editor = BitmapEditor.open(file)) {
      edit.apply(editor);
      editor.commit();
    } catch (ImageException e) {
      throw e.in(file.name());
    }
  }

  /** Whether the image can be given a bitmap. */
  TrackingAbility tracking() {
    return opened.tracking();
  }

  @Override
  public void close() throws IOException {
    opened.disk().close();
  }
}
