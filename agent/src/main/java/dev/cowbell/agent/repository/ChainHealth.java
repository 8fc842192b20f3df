package dev.cowbell.agent.repository;

import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * Looks whether the overlays of a chain are what their manifests say, as far as that costs next to
 * nothing: one request for each.
 */
public final class ChainHealth {

  private ChainHealth() {}

  /** What is wrong with the newest overlay that has something wrong; empty if none has. */
  public static Optional<String> problem(ObjectStore store, DiskChain chain) throws IOException {
    List<Optional<String>> problems =
        Concurrently.map(
            chain.links(),
            Repository.WIDTH,
            link ->
                problem(store, link.record().overlay())
                    .map(problem -> link.record().overlay().key() + " " + problem));
    return problems.stream().flatMap(Optional::stream).findFirst();
  }

  /** What is wrong with one overlay, such as "is missing"; empty if nothing is. */
  public static Optional<String> problem(ObjectStore store, OverlayRecord overlay)
      throws IOException {
    Optional<ObjectInfo> info = store.stat(overlay.key());
    if (info.isEmpty()) {
      return Optional.of("is missing");
    }
    if (!overlay.mayHaveSize(info.get().size())) {
      return Optional.of(
          "is %d bytes long, the manifest says %d".formatted(info.get().size(), overlay.size()));
    }
    if (info.get().etag().equals(overlay.etag())) {
      return Optional.empty();
    }
    // a copied repository has other ETags; the head tells whether it is the same overlay
    if (isHead(store, info.get(), overlay.clusterSize(), overlay.headDigest())) {
      return Optional.empty();
    }
    for (OverlayRecord.Successor successor : overlay.successors()) {
      if (isHead(store, info.get(), successor.clusterSize(), successor.headDigest())) {
        return Optional.empty();
      }
    }
    return Optional.of("has a head that is not the manifest's");
  }

  /** Whether an object begins with a head of a digest. */
  public static boolean isHead(
      ObjectStore store, ObjectInfo object, int clusterSize, String headDigest) throws IOException {
    ByteBuffer head = ByteBuffer.allocate((int) Math.min(clusterSize, object.size()));
    store.read(object.key(), 0, head, Optional.of(object.etag()));
    return HexFormat.of().formatHex(SealedJson.sha256(head.array())).equals(headDigest);
  }

  /**
   * A disk's record as its overlay is stored: usually as it stands in the manifest. While a merge
   * replaces the overlay, or after one that was interrupted, it may be that of a successor; then
   * its body has no digest, and its parent is the one that its chain can go on with.
   */
  public static DiskRecord present(ObjectStore store, DiskRecord disk) throws IOException {
    OverlayRecord overlay = disk.overlay();
    Optional<ObjectInfo> info =
        overlay.successors().isEmpty() ? Optional.empty() : store.stat(overlay.key());
    if (info.isEmpty()) {
      return disk;
    }
    for (OverlayRecord.Successor successor : overlay.successors()) {
      if (info.get().size() == successor.size()
          && isHead(store, info.get(), successor.clusterSize(), successor.headDigest())) {
        return disk.stored(
            successor.parent(), overlay.replacedBy(successor, info.get()), successor.counts());
      }
    }
    return disk;
  }
}
