package dev.cowbell.agent.daemon;

import dev.cowbell.agent.config.RepositoryUrl;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoreUrl;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.Pacer;
import dev.cowbell.storage.ThrottledStore;
import dev.cowbell.storage.TokenBucket;
import java.io.IOException;
import java.time.InstantSource;
import java.util.Optional;
import java.util.OptionalLong;

/** Opens repositories for runs, within the bandwidth that all of them share. */
final class Repositories {

  private final InstantSource clock;
  private OptionalLong rate = OptionalLong.empty();
  private Optional<TokenBucket> up = Optional.empty();
  private Optional<TokenBucket> down = Optional.empty();

  Repositories(InstantSource clock) {
    this.clock = clock;
  }

  /** Bytes a second in each direction for all runs together; for runs that begin from now on. */
  synchronized void limit(OptionalLong bytesPerSecond) {
    if (!bytesPerSecond.equals(rate)) {
      rate = bytesPerSecond;
      up = bucket(bytesPerSecond);
      down = bucket(bytesPerSecond);
    }
  }

  private static Optional<TokenBucket> bucket(OptionalLong rate) {
    return rate.isPresent()
        ? Optional.of(new TokenBucket(rate.getAsLong(), Pacer.SYSTEM))
        : Optional.empty();
  }

  /**
   * Opens a repository, which has to exist.
   *
   * @param bytesPerSecond what this one may use of the shared bandwidth
   */
  Repository open(RepositoryUrl url, OptionalLong bytesPerSecond) throws IOException {
    ObjectStore store = StoreUrl.parse(url.text()).open(StoreUrl.Missing.REFUSE, clock);
    synchronized (this) {
      store = new ThrottledStore(store, up, down);
    }
    return Repository.adopt(
        new ThrottledStore(store, bytesPerSecond, bytesPerSecond, Pacer.SYSTEM));
  }
}
