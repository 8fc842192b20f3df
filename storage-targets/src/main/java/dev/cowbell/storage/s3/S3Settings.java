package dev.cowbell.storage.s3;

import dev.cowbell.storage.RetryPolicy;
import java.time.Duration;

/**
 * How to talk to an S3 server.
 *
 * @param retry how often to try again
 * @param connectTimeout how long a connection may take to be made
 * @param stallTimeout how long an answer, or the next bytes of one, may take, and how long the
 *     server may take no bytes of a request
 * @param connections how many requests may be under way at once
 * @param uploadMemory bytes that an upload may hold in memory. Objects beyond about 36 GiB whose
 *     length was not announced, and any beyond about 220 GiB, take more: parts have to grow for
 *     10,000 of them to be enough, and two are held besides the first.
 */
public record S3Settings(
    RetryPolicy retry,
    Duration connectTimeout,
    Duration stallTimeout,
    int connections,
    long uploadMemory) {

  public static final S3Settings DEFAULT =
      new S3Settings(
          RetryPolicy.PATIENT, Duration.ofSeconds(10), Duration.ofSeconds(60), 128, 64L << 20);

  public S3Settings {
    if (connections < 1) {
      throw new IllegalArgumentException("at least one connection, not " + connections);
    }
    if (uploadMemory < 32 << 20) {
      throw new IllegalArgumentException("uploads need at least 32 MiB, not " + uploadMemory);
    }
  }

  /** The same but for retries. */
  public S3Settings withRetry(RetryPolicy changed) {
    return new S3Settings(changed, connectTimeout, stallTimeout, connections, uploadMemory);
  }
}
