package dev.cowbell.storage.s3;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoreUnavailableException;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.awscore.AwsRequestOverrideConfiguration;
import software.amazon.awssdk.core.SdkResponse;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * The one way that requests to a bucket take: each tried once, a bounded number at a time, ended by
 * a time limit, its failure explained. An answer that is not one, such as a proxy's error page with
 * status 200, is a failure too.
 */
final class S3Requests implements AutoCloseable {

  /** Slower than this, a transfer is given up: no line that backups run over is. */
  private static final long MIN_BYTES_PER_SECOND = 8 << 10;

  private final S3Client client;
  private final S3Location location;
  private final S3Settings settings;
  private final InstantSource clock;
  private final Semaphore turns;

  /** Takes over {@code client}. */
  S3Requests(S3Client client, S3Location location, S3Settings settings, InstantSource clock) {
    this.client = client;
    this.location = location;
    this.settings = settings;
    this.clock = clock;
    this.turns = new Semaphore(settings.connections(), true);
  }

  S3Location location() {
    return location;
  }

  String bucket() {
    return location.bucket();
  }

  String key(ObjectKey key) {
    return location.keyOf(key);
  }

  /** What is done with an answer while its connection is held. */
  @FunctionalInterface
  interface Exchange<T> {
    T with(S3Client client) throws IOException;
  }

  /**
   * Makes one exchange.
   *
   * @param what what is being done to what, for messages
   */
  <T> T send(String what, Exchange<T> exchange) throws IOException {
    try {
      turns.acquire();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(what + " in " + location + ": interrupted", e);
    }
    try {
      return exchange.with(client);
    } catch (SdkException e) {
      throw S3Errors.explain(what + " in " + location, e);
    } finally {
      turns.release();
    }
  }

  /** Makes one exchange that sends a body, and ends it when the server takes no more of it. */
  <T> T send(String what, WatchedBody body, Function<S3Client, T> exchange) throws IOException {
    return send(
        what, client -> body.whileSending(settings.stallTimeout(), () -> exchange.apply(client)));
  }

  /** Limits a request's time, whatever happens, by what it moves. */
  Consumer<AwsRequestOverrideConfiguration.Builder> limit(long bytes) {
    Duration limit = timeFor(bytes);
    return o -> o.apiCallTimeout(limit).apiCallAttemptTimeout(limit);
  }

  /** How long an exchange of so many bytes may take. */
  Duration timeFor(long bytes) {
    return settings
        .stallTimeout()
        .multipliedBy(2)
        .plus(settings.connectTimeout())
        .plusSeconds(bytes / MIN_BYTES_PER_SECOND);
  }

  /** An answer's ETag as we keep it. */
  ETag etag(String what, @Nullable String header) throws StoreException {
    String bare = header == null ? "" : header.replace("\"", "");
    try {
      return new ETag(bare);
    } catch (IllegalArgumentException e) {
      throw garbage(what, "it has no ETag");
    }
  }

  /** The failure that an answer is not what was asked for. */
  StoreUnavailableException garbage(String what, String problem) {
    return new StoreUnavailableException(
        what + " in " + location + ": the answer makes no sense: " + problem);
  }

  /** The server's time of day when it answered. */
  Instant serverTime(SdkResponse response) {
    return response
        .sdkHttpResponse()
        .firstMatchingHeader("Date")
        .flatMap(date -> {
          try {
            return java.util.Optional.of(
                ZonedDateTime.parse(date, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant());
          } catch (DateTimeException e) {
            return java.util.Optional.empty();
          }
        })
        .orElseGet(clock::instant);
  }

  @Override
  public void close() {
    client.close();
  }
}
