package dev.cowbell.storage;

import java.io.IOException;
import java.time.Duration;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tries again what failed with {@link StoreUnavailableException}, as a policy says. */
public final class Retries {

  private static final Logger LOG = LoggerFactory.getLogger(Retries.class);

  private final RetryPolicy policy;
  private final Pacer pacer;
  private final RandomGenerator random;

  public Retries(RetryPolicy policy, Pacer pacer, RandomGenerator random) {
    this.policy = policy;
    this.pacer = pacer;
    this.random = random;
  }

  /** One try. */
  @FunctionalInterface
  public interface Attempt<T> {

    /**
     * Tries once.
     *
     * @param failures how many tries were made before. Any of them may have been carried out by the
     *     store, only the answer being lost.
     */
    T make(int failures) throws IOException;
  }

  /** Makes attempts until one succeeds, fails for good, or the policy allows no more. */
  public <T> T call(Attempt<T> attempt) throws IOException {
    long start = pacer.nanoTime();
    for (int failures = 0; ; ) {
      try {
        return attempt.make(failures);
      } catch (StoreUnavailableException e) {
        failures++;
        Duration elapsed = Duration.ofNanos(pacer.nanoTime() - start);
        if (!policy.allowsAfter(failures, elapsed)) {
          throw failures == 1 ? e : gaveUp(e, failures, elapsed);
        }
        pause(policy.pauseAfter(failures, random), e);
      }
    }
  }

  private void pause(Duration pause, StoreUnavailableException cause) throws StoreException {
    LOG.debug("trying again in {} ms: {}", pause.toMillis(), cause.getMessage());
    try {
      pacer.sleep(pause);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException("interrupted; before that: " + cause.getMessage(), cause);
    }
  }

  private static StoreUnavailableException gaveUp(
      StoreUnavailableException last, int failures, Duration elapsed) {
    return new StoreUnavailableException(
        "%s (given up after %d attempts in %.1f s)"
            .formatted(last.getMessage(), failures, elapsed.toMillis() / 1000.0),
        last);
  }
}
