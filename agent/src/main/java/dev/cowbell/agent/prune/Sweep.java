package dev.cowbell.agent.prune;

import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.verify.Leftovers;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** Finds and clears what interrupted runs left of one VM, once it is old enough. */
final class Sweep {

  private final ObjectStore store;
  private final Duration age;
  private final Instant now;

  Sweep(ObjectStore store, Duration age, Instant now) {
    this.store = store;
    this.age = age;
    this.now = now;
  }

  /** Overlays that no manifest names, and marks of points that were given up. */
  List<ObjectKey> leftovers(Catalogue catalogue) throws IOException {
    List<ObjectInfo> found = new ArrayList<>(Leftovers.objects(store, catalogue));
    catalogue.voided().forEach(voided -> found.add(voided.object()));
    Instant latest = now.minus(age);
    return found.stream()
        .filter(object -> !object.lastModified().isAfter(latest))
        .map(ObjectInfo::key)
        .toList();
  }

  /** Clears unfinished uploads and answers how many. */
  int uploads(VmName vm) throws IOException {
    return store.sweepUploads("vms/" + vm + "/", age);
  }
}
