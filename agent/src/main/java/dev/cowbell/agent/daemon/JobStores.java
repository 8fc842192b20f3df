package dev.cowbell.agent.daemon;

import dev.cowbell.agent.config.Configuration;
import dev.cowbell.agent.config.Secret;
import dev.cowbell.agent.schedule.JobStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Optional;
import java.util.function.Function;

/** Job stores as a configuration has them, made ready for use. */
public final class JobStores {

  private JobStores() {}

  /**
   * Any job store.
   *
   * @param environment where secrets may be
   */
  static JobStore of(Configuration.JobStore store, Function<String, Optional<String>> environment) {
    return switch (store) {
      case Configuration.JobStore.Memory() -> new JobStore.Memory();
      case Configuration.JobStore.Postgresql shared -> database(shared, environment);
    };
  }

  /**
   * One in a database.
   *
   * @param environment where its password may be
   */
  public static JobStore.Postgresql database(
      Configuration.JobStore.Postgresql shared, Function<String, Optional<String>> environment) {
    return new JobStore.Postgresql(
        shared.url(),
        shared.user(),
        () -> shared.password().map(secret -> reveal(secret, environment)).orElse(""));
  }

  private static String reveal(Secret secret, Function<String, Optional<String>> environment) {
    try {
      return secret.reveal(environment);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
