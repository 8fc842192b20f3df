package dev.cowbell.storage.s3;

import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectStoreContract;
import java.io.IOException;
import java.time.InstantSource;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

final class S3StoreTest extends ObjectStoreContract {

  private static final AtomicInteger PREFIXES = new AtomicInteger();

  @SuppressWarnings("NullAway.Init")
  private static S3ProxyServer server;

  @BeforeAll
  static void startServer() throws Exception {
    server = new S3ProxyServer();
  }

  @AfterAll
  static void stopServer() throws Exception {
    server.close();
  }

  /** This server compares and writes in two steps: in about one race of twelve two writers win. */
  @Override
  protected boolean replacesAtomically() {
    return false;
  }

  @Override
  protected ObjectStore emptyStore() throws IOException {
    S3Location location =
        S3Location.parse(
            "s3://bucket/store-%d?endpoint=%s"
                .formatted(PREFIXES.incrementAndGet(), server.endpoint()));
    return S3Store.create(
        location, S3Settings.DEFAULT, server.credentials(), InstantSource.system());
  }
}
