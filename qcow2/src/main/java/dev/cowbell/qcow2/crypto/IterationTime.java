package dev.cowbell.qcow2.crypto;

import java.time.Duration;

/**
 * How long PBKDF2 is to take on this machine, for an owner once and for an attacker at each guess.
 *
 * @param time between 1 ms and 10 s; QEMU's default is 2 s
 */
public record IterationTime(Duration time) {
  public static final IterationTime DEFAULT = new IterationTime(Duration.ofSeconds(2));

  /** What QEMU and cryptsetup never go below. */
  static final long MIN_ITERATIONS = 1000;

  /**
   * The rounds of HMAC that one unlocking may take in all: one to two minutes of SHA-256. An image
   * that asks for more is refused, and none is made that could ask for more with all its slots in
   * use.
   */
  static final long MAX_ROUNDS = 1L << 29;

  private static final long MAX_MILLIS = 10_000;
  private static final long LONG_TRIAL_MILLIS = 150;

  public IterationTime {
    if (time.toMillis() < 1 || time.toMillis() > MAX_MILLIS) {
      throw new IllegalArgumentException(
          "iter-time is %d ms, allowed are 1 to %d".formatted(time.toMillis(), MAX_MILLIS));
    }
  }

  public static IterationTime ofMillis(long millis) {
    return new IterationTime(Duration.ofMillis(millis));
  }

  /**
   * Measures how many iterations of a derivation fit into the time: at least 1000, and at most what
   * leaves all slots of an image within {@link #MAX_ROUNDS}.
   *
   * @param length the bytes that are derived
   */
  long iterations(HashAlgorithm hash, int length) {
    long millis = time.toMillis();
    Duration trial = Duration.ofMillis(Math.min(millis, LONG_TRIAL_MILLIS));
    long measured = Pbkdf2.iterationsPerSecond(hash, length, trial) * millis / 1000;
    long most = MAX_ROUNDS / LuksHeader.SLOTS / 2 / Pbkdf2.roundsPerIteration(hash, length);
    return Math.clamp(measured, MIN_ITERATIONS, most);
  }

  /** The same for the digest of the master key, which takes an eighth of the time. */
  long digestIterations(HashAlgorithm hash) {
    return Math.max(MIN_ITERATIONS, iterations(hash, LuksHeader.DIGEST_LENGTH) / LuksHeader.SLOTS);
  }
}
