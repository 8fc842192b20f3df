package dev.cowbell.agent.verify;

import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.Catalogue.Unreadable;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.StoredManifest;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** Finds overlays that no manifest names: what interrupted backups left. */
public final class Leftovers {

  private Leftovers() {}

  /**
   * The overlays of a VM that belong to no point, by key. Those of unreadable points don't count.
   */
  static List<ObjectKey> of(ObjectStore store, Catalogue catalogue) throws IOException {
    return objects(store, catalogue).stream().map(ObjectInfo::key).toList();
  }

  /** The same, with what the store says of them. */
  public static List<ObjectInfo> objects(ObjectStore store, Catalogue catalogue)
      throws IOException {
    Set<ObjectKey> named = new HashSet<>();
    for (StoredManifest stored : catalogue.all()) {
      for (DiskRecord disk : stored.manifest().disks()) {
        named.add(disk.overlay().key());
        if (disk.digests().isPresent()) {
          named.add(Layout.digests(catalogue.vm(), disk.name(), stored.manifest().point()));
        }
      }
    }
    Set<String> unknown = new HashSet<>();
    for (Unreadable bad : catalogue.unreadable()) {
      unknown.add(Layout.overlayName(bad.point()));
      unknown.add(Layout.digestsName(bad.point()));
    }
    try (Stream<ObjectInfo> objects = store.list(Layout.disks(catalogue.vm()))) {
      return objects
          .filter(object -> {
            ObjectKey key = object.key();
            return !named.contains(key) && isOurs(key) && !unknown.contains(file(key));
          })
          .toList();
    } catch (UncheckedIOException e) {
      throw e.getCause() == null ? new IOException(e) : e.getCause();
    }
  }

  private static String file(ObjectKey key) {
    return key.value().substring(key.value().lastIndexOf('/') + 1);
  }

  private static boolean isOurs(ObjectKey key) {
    String file = file(key);
    int dot = file.indexOf('.');
    try {
      if (dot <= 0) {
        return false;
      }
      PointId point = new PointId(file.substring(0, dot));
      return Layout.overlayName(point).equals(file) || Layout.digestsName(point).equals(file);
    } catch (IllegalArgumentException e) {
      return false;
    }
  }
}
