package dev.cowbell.agent.repository;

import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.overlay.OverlaySource;
import dev.cowbell.qcow2.overlay.OverlayTables;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;

/** Makes what is wrong with an overlay's tables the damage of its object. */
record GuardedTables(ObjectKey key, OverlayTables tables) implements OverlayTables {

  @Override
  public String name() {
    return tables.name();
  }

  @Override
  public long size() {
    return tables.size();
  }

  @Override
  public Geometry geometry() {
    return tables.geometry();
  }

  @Override
  public long nextTable(long l1Index) {
    return tables.nextTable(l1Index);
  }

  @Override
  public void readEntries(long firstCluster, int count, long[] dst) throws IOException {
    try {
      tables.readEntries(firstCluster, count, dst);
    } catch (ImageException e) {
      throw new DamagedObjectException(key, StoredOverlay.withoutName(name(), e.getMessage()));
    }
  }

  @Override
  public OverlaySource source() {
    return tables.source();
  }
}
