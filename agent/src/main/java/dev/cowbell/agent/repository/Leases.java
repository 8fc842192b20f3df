package dev.cowbell.agent.repository;

import dev.cowbell.agent.repository.LeaseRecord.Holder;
import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.StoredObject;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/** Takes, shows and breaks the leases of a repository's VMs. */
public final class Leases {

  private static final int LOOKS = 10;
  private static final int TRIES = 5;

  private final Repository repository;
  private final ObjectStore store;
  private final LeaseTerms terms;

  public Leases(Repository repository, LeaseTerms terms) {
    this.repository = repository;
    this.store = repository.store();
    this.terms = terms;
  }

  /**
   * Who holds a lease, for people.
   *
   * @param by who
   * @param operation what it does
   * @param since when it began, by its own clock
   * @param renewed when it last said that it is there, by its own clock
   */
  public record Shown(String by, String operation, Instant since, Instant renewed) {}

  private record Stored(LeaseRecord record, ETag etag) {}

  /**
   * Takes a VM's lease: a free one at once; one whose owner died on this host at once; any other
   * when it was seen not to be renewed for as long as it lasts, by this process's own monotonic
   * clock. Then settles whether the point that the last owner was making exists.
   *
   * @param operation what it is for, such as "backup"
   * @throws LeaseHeldException if its owner is alive
   */
  public Lease acquire(VmName vm, String operation) throws IOException {
    LeaseOwner owner = LeaseOwner.here(terms.host());
    try {
      for (int tries = 1; ; tries++) {
        try {
          return acquire(vm, operation, owner);
        } catch (PreconditionFailedException e) {
          // somebody was faster
          if (tries == TRIES) {
            throw e;
          }
        }
      }
    } catch (IOException | RuntimeException | Error e) {
      // were it an error that a daemon survives, the owner would else live as long as the daemon
      owner.isDone();
      throw e;
    }
  }

  private Lease acquire(VmName vm, String operation, LeaseOwner owner) throws IOException {
    Optional<Stored> present = read(vm);
    if (present.isPresent()) {
      awaitEnd(present.get());
    }
    Instant now = terms.clock().instant();
    Optional<PointId> open = present.flatMap(p -> p.record().point());
    LeaseRecord mine =
        new LeaseRecord(
            vm,
            present.map(p -> p.record().epoch()).orElse(0L) + 1,
            0,
            Optional.of(new Holder(owner, operation, now, now, terms.duration())),
            open);
    ETag etag =
        Lease.put(
            store,
            mine,
            present.map(p -> Precondition.ifMatch(p.etag())).orElse(Precondition.IF_ABSENT));
    Lease lease = new Lease(store, terms, owner, mine, etag);
    if (open.isPresent()) {
      repository.settle(vm, open.get());
    }
    lease.beginHeartbeat();
    return lease;
  }

  /** Returns when the owner is known to be gone. */
  private void awaitEnd(Stored present) throws IOException {
    if (present.record().holder().isEmpty()) {
      return;
    }
    Holder holder = present.record().holder().get();
    VmName vm = present.record().vm();
    switch (holder.owner().state()) {
      case DEAD -> {
        return;
      }
      case ALIVE -> throw held(vm, holder);
      case UNKNOWN -> {
        // to refuse wrongly is safe, so a clock may say so
        Duration age = Duration.between(holder.renewed(), terms.clock().instant());
        if (age.abs().compareTo(holder.duration()) < 0) {
          throw held(vm, holder);
        }
      }
    }
    long start = System.nanoTime();
    while (System.nanoTime() - start < holder.duration().toNanos()) {
      sleep(holder.duration().dividedBy(LOOKS));
      Optional<Stored> now = read(vm);
      if (now.isEmpty() || !now.get().etag().equals(present.etag())) {
        throw held(vm, now.flatMap(n -> n.record().holder()).orElse(holder));
      }
    }
  }

  private static LeaseHeldException held(VmName vm, Holder holder) {
    return new LeaseHeldException(
        vm,
        "%s (%s since %s, last seen %s)"
            .formatted(
                holder.owner(), Names.shown(holder.operation()), holder.since(), holder.renewed()));
  }

  private static void sleep(Duration time) throws IOException {
    try {
      Thread.sleep(time);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while waiting for a lease", e);
    }
  }

  /** Who holds a VM's lease; empty if nobody does. */
  public Optional<Shown> holder(VmName vm) throws IOException {
    return read(vm)
        .flatMap(stored -> stored.record().holder())
        .map(h ->
            new Shown(h.owner().toString(), Names.shown(h.operation()), h.since(), h.renewed()));
  }

  /**
   * Takes a lease away from its owner, dead or alive: it will notice before it commits anything.
   *
   * @return whose it was; empty if nobody held it
   */
  public Optional<Shown> breakLease(VmName vm) throws IOException {
    for (int tries = 1; ; tries++) {
      Optional<Shown> before = shownOrDamaged(vm);
      try {
        Optional<StoredObject> document = Repository.document(store, Layout.lease(vm));
        if (document.isEmpty()) {
          return Optional.empty();
        }
        LeaseRecord record = recordOrFresh(vm, document.get());
        Lease.put(
            store,
            new LeaseRecord(vm, record.epoch() + 1, 0, Optional.empty(), record.point()),
            Precondition.ifMatch(document.get().info().etag()));
        return before;
      } catch (PreconditionFailedException e) {
        // its owner renewed it meanwhile
        if (tries == TRIES) {
          throw e;
        }
      }
    }
  }

  /** What keeps a repository's VM from being written to by anybody: a lease that can't be read. */
  public static Optional<DamagedObjectException> damage(Repository repository, VmName vm)
      throws IOException {
    ObjectKey key = Layout.lease(vm);
    try {
      Optional<StoredObject> document = Repository.document(repository.store(), key);
      if (document.isPresent()) {
        LeaseRecord.decode(key, Repository.bytes(document.get()));
      }
      return Optional.empty();
    } catch (DamagedObjectException e) {
      return Optional.of(e);
    }
  }

  private Optional<Shown> shownOrDamaged(VmName vm) throws IOException {
    try {
      return holder(vm);
    } catch (DamagedObjectException e) {
      Instant now = terms.clock().instant();
      return Optional.of(new Shown("nobody knows whom: " + e.problem(), "unknown", now, now));
    }
  }

  /** What stands there, or an epoch that no counter has reached if it can't be read. */
  private LeaseRecord recordOrFresh(VmName vm, StoredObject document) throws IOException {
    try {
      return LeaseRecord.decode(Layout.lease(vm), Repository.bytes(document));
    } catch (DamagedObjectException e) {
      long epoch = Math.max(1, terms.clock().instant().getEpochSecond());
      return new LeaseRecord(vm, epoch, 0, Optional.empty(), Optional.empty());
    }
  }

  private Optional<Stored> read(VmName vm) throws IOException {
    ObjectKey key = Layout.lease(vm);
    Optional<StoredObject> document = Repository.document(store, key);
    if (document.isEmpty()) {
      return Optional.empty();
    }
    LeaseRecord record = LeaseRecord.decode(key, Repository.bytes(document.get()));
    if (!record.vm().equals(vm)) {
      throw new DamagedObjectException(key, "is the lease of VM " + record.vm());
    }
    return Optional.of(new Stored(record, document.get().info().etag()));
  }
}
