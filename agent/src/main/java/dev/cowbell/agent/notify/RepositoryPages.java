package dev.cowbell.agent.notify;

import dev.cowbell.agent.repository.StoreUrl;
import dev.cowbell.agent.repository.ToldRecord;
import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.time.InstantSource;
import java.util.Optional;

/** Keeps the ledger in the repositories that it is about: {@code vms/VM/told/}. */
final class RepositoryPages implements Ledger.Pages {

  private final InstantSource clock;

  RepositoryPages(InstantSource clock) {
    this.clock = clock;
  }

  @Override
  public Optional<Ledger.Page> read(Subject subject) throws IOException {
    try (ObjectStore store = open(subject)) {
      return ToldRecord.read(store, subject.vm(), subject.name())
          .map(stored -> new Ledger.Page(stored.record(), stored.etag().value()));
    }
  }

  @Override
  public boolean write(Subject subject, Optional<Ledger.Page> before, ToldRecord now)
      throws IOException {
    try (ObjectStore store = open(subject)) {
      return now.write(
          store, subject.vm(), subject.name(), before.map(page -> new ETag(page.version())));
    }
  }

  private ObjectStore open(Subject subject) throws IOException {
    return StoreUrl.parse(subject.repository()).open(StoreUrl.Missing.REFUSE, clock);
  }
}
