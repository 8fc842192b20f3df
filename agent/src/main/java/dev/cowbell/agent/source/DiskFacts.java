package dev.cowbell.agent.source;

import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.SourceRecord.BackingIdentity;
import dev.cowbell.agent.repository.SourceRecord.SnapshotIdentity;
import dev.cowbell.bitmaps.DirtyBitmap;
import java.util.List;
import java.util.Optional;

/**
 * What an image shows of itself, gathered before anything is decided.
 *
 * @param disk the disk it is backed up as
 * @param size of the disk that is read, in bytes
 * @param reading the internal snapshot that is read; empty for the active state
 * @param snapshots the internal snapshots of the image
 * @param layers the image first, then the files below it
 * @param tracking whether the image can be given a tracking bitmap
 */
public record DiskFacts(
    DiskName disk,
    long size,
    Optional<SnapshotIdentity> reading,
    List<SnapshotIdentity> snapshots,
    List<Layer> layers,
    TrackingAbility tracking) {

  public DiskFacts {
    snapshots = List.copyOf(snapshots);
    layers = List.copyOf(layers);
  }

  /**
   * One file of an image's chain.
   *
   * @param identity tells whether it is still the file it was
   * @param size of its active state, in bytes as the guest sees it
   * @param bitmaps its persistent bitmaps
   */
  public record Layer(BackingIdentity identity, long size, List<BitmapFact> bitmaps) {
    public Layer {
      bitmaps = List.copyOf(bitmaps);
    }

    /** The bitmap of a name. */
    public Optional<BitmapFact> bitmap(String name) {
      return bitmaps.stream().filter(b -> b.name().equals(name)).findFirst();
    }
  }

  /** What a persistent bitmap can be used for. */
  public enum BitmapState {
    RECORDING,
    /** It holds what it held when somebody disabled it. */
    DISABLED,
    /** A writer did not close the image: the bits on disk are out of date. */
    IN_USE,
    /** Its table or bits can't be decoded. */
    INCONSISTENT
  }

  /**
   * A persistent bitmap.
   *
   * @param granularity the bytes that one bit stands for
   * @param content its bits; empty where the state forbids to read them or nobody needs them
   * @param size of the disk that the bits are for, in bytes
   */
  public record BitmapFact(
      String name, long granularity, BitmapState state, long size, Optional<DirtyBitmap> content) {

    /** Whether the granule around a byte is dirty. */
    public boolean isDirty(long offset) {
      return content.isPresent() && offset < size && content.get().isDirty(offset);
    }
  }

  /** Whether an image can be given a tracking bitmap. */
  public sealed interface TrackingAbility {

    /** It can. */
    record Able() implements TrackingAbility {}

    /**
     * It can't.
     *
     * @param reason such as "raw images hold no bitmaps"
     */
    record Unable(String reason) implements TrackingAbility {}
  }
}
