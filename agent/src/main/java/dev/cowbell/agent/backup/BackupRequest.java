package dev.cowbell.agent.backup;

import dev.cowbell.agent.RefusedException;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.source.Decryption;
import dev.cowbell.agent.source.ImageFormat;
import dev.cowbell.agent.source.OfflineImages;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What the user wants backed up.
 *
 * @param vm whose disks they are
 * @param disks at least one, each with another name
 * @param snapshot the internal snapshot to read, by id or name; empty for the active state
 * @param extent all, or what changed
 * @param userBitmap a bitmap of the user's own that holds every change since the last point
 * @param labels to be kept with the point
 * @param decryption what may be done with encrypted images
 * @param provePercent how much of what bitmaps call unchanged is compared with digests, 0 to 100
 */
public record BackupRequest(
    VmName vm,
    List<Disk> disks,
    Optional<String> snapshot,
    Extent extent,
    Optional<String> userBitmap,
    Map<String, String> labels,
    Decryption decryption,
    double provePercent) {

  /** A request that refuses encrypted images. */
  public BackupRequest(
      VmName vm,
      List<Disk> disks,
      Optional<String> snapshot,
      Extent extent,
      Optional<String> userBitmap,
      Map<String, String> labels) {
    this(vm, disks, snapshot, extent, userBitmap, labels, Decryption.NONE, 0);
  }

  /** How much to copy. */
  public enum Extent {
    /** What changed, where that is known. */
    AUTO,
    /** Everything. */
    FULL
  }

  /**
   * One image.
   *
   * @param format what the user says it is; empty to go by the file
   */
  public record Disk(DiskName name, Path image, Optional<ImageFormat> format) {}

  /** All of what bitmaps call unchanged. */
  public static final int MAX_PERCENT = 100;

  public BackupRequest {
    disks = List.copyOf(disks);
    labels = Map.copyOf(labels);
  }

  /** The images to open. */
  List<OfflineImages.Request> images() {
    return disks.stream()
        .map(d -> new OfflineImages.Request(d.name(), d.image(), d.format(), snapshot, decryption))
        .toList();
  }

  /**
   * Refuses what makes no sense before anything is opened.
   *
   * @throws RefusedException with what is wrong
   */
  void check() throws RefusedException {
    if (disks.isEmpty() || disks.size() > Manifest.MAX_DISKS) {
      throw new RefusedException(
          "%d disks; a backup has 1 to %d".formatted(disks.size(), Manifest.MAX_DISKS));
    }
    Set<DiskName> names = new HashSet<>();
    for (Disk disk : disks) {
      if (!names.add(disk.name())) {
        throw new RefusedException(
            "two images are named as disk " + disk.name(), "name them, as in vda=" + disk.image());
      }
    }
    if (snapshot.isPresent() && userBitmap.isPresent()) {
      throw new RefusedException(
          "--bitmap %s says nothing about snapshot %s".formatted(userBitmap.get(), snapshot.get()),
          "changes between snapshots are found in the image's tables");
    }
    if (!(provePercent >= 0 && provePercent <= MAX_PERCENT)) {
      throw new RefusedException(
          "%s percent to prove; allowed are 0 to %d".formatted(provePercent, MAX_PERCENT));
    }
    try {
      Manifest.checkLabels(labels);
    } catch (IllegalArgumentException e) {
      throw new RefusedException(String.valueOf(e.getMessage()));
    }
  }
}
