package dev.cowbell.agent.repository;

import dev.cowbell.agent.repository.DiskChain.Link;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.overlay.DamagedClusterException;
import dev.cowbell.qcow2.overlay.MetadataCache;
import dev.cowbell.qcow2.overlay.OverlayChain;
import dev.cowbell.qcow2.overlay.OverlayReader;
import dev.cowbell.qcow2.overlay.OverlayTables;
import dev.cowbell.qcow2.overlay.Sha256;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.util.List;

/**
 * The overlays of a chain, open in their store. Whatever turns out to be damaged is a {@link
 * DamagedObjectException} that names its object.
 */
public final class StoredChain {

  /** What works on a chain. */
  @FunctionalInterface
  public interface Reading {
    void run() throws IOException;
  }

  private final OverlayChain chain;

  private StoredChain(OverlayChain chain) {
    this.chain = chain;
  }

  /**
   * Opens all overlays of a chain, each of which must have the head that its manifest names.
   *
   * @throws DamagedObjectException if one is missing or is not what was written
   */
  public static StoredChain open(ObjectStore store, List<Link> links) throws IOException {
    MetadataCache cache = new MetadataCache();
    return new StoredChain(
        new OverlayChain(
            Concurrently.map(links, Repository.WIDTH, link -> open(store, link, cache))));
  }

  private static OverlayTables open(ObjectStore store, Link link, MetadataCache cache)
      throws IOException {
    OverlayRecord record = link.record().overlay();
    StoredOverlay overlay = StoredOverlay.find(store, record);
    try {
      OverlayReader reader =
          OverlayReader.open(
              overlay, record.headDigests().stream().map(Sha256::ofHex).toList(), cache);
      return new GuardedTables(record.key(), reader);
    } catch (ImageException e) {
      throw new DamagedObjectException(record.key(), overlay.withoutName(e.getMessage()));
    }
  }

  public OverlayChain chain() {
    return chain;
  }

  /** Has the chain's content read. */
  public void read(Reading reading) throws IOException {
    try {
      reading.run();
    } catch (DamagedClusterException e) {
      throw new DamagedObjectException(
          new ObjectKey(e.overlay()), StoredOverlay.withoutName(e.overlay(), e.getMessage()));
    }
  }
}
