package dev.cowbell.agent.repository;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.RefusedException;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.directory.DirectoryStore;
import dev.cowbell.storage.s3.S3Location;
import dev.cowbell.storage.s3.S3Settings;
import dev.cowbell.storage.s3.S3Store;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.Optional;
import java.util.function.Supplier;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;

/** Where a repository lives, as the user gives it. */
public sealed interface StoreUrl {

  /** A path, or {@code file:///path}. */
  record Directory(Path path) implements StoreUrl {}

  /** {@code s3://bucket/prefix?endpoint=…&region=…&path-style=…}. */
  record S3(S3Location location) implements StoreUrl {}

  /** Whether a store that is not there may be made. */
  enum Missing {
    CREATE,
    REFUSE
  }

  /**
   * Reads what the user gave.
   *
   * @throws RefusedException if it is no such place
   */
  static StoreUrl parse(String text) throws RefusedException {
    try {
      if (text.startsWith("s3://")) {
        return new S3(S3Location.parse(text));
      }
      if (text.startsWith("file:")) {
        return new Directory(Path.of(new URI(text)));
      }
      if (text.contains("://") || text.isEmpty()) {
        throw new RefusedException(
            "not a repository: \"%s\" (a path, file:///path or s3://bucket/prefix)"
                .formatted(Names.shown(text)));
      }
      return new Directory(Path.of(text));
    } catch (URISyntaxException | IllegalArgumentException e) {
      throw new RefusedException("not a repository: " + e.getMessage());
    }
  }

  /** Opens the store; the caller closes it. Credentials for S3 come from the AWS default chain. */
  default ObjectStore open(Missing missing, InstantSource clock) throws IOException {
    return open(missing, clock, () -> DefaultCredentialsProvider.builder().build());
  }

  /**
   * Opens the store; the caller closes it.
   *
   * @param credentials who asks S3; not asked for a directory
   */
  default ObjectStore open(
      Missing missing, InstantSource clock, Supplier<AwsCredentialsProvider> credentials)
      throws IOException {
    return switch (this) {
      case Directory(Path path) when missing == Missing.CREATE ->
          DirectoryStore.create(path, clock);
      case Directory(Path path) -> existing(path, clock);
      case S3(S3Location location) when missing == Missing.CREATE ->
          S3Store.create(location, S3Settings.DEFAULT, credentials.get(), clock);
      case S3(S3Location location) ->
          S3Store.open(location, S3Settings.DEFAULT, credentials.get(), Optional.empty(), clock);
    };
  }

  private static ObjectStore existing(Path path, InstantSource clock) throws IOException {
    if (Files.notExists(path)) {
      throw new NotFoundException(
          "no repository at " + path, "cowbell init --repo " + path + " makes one");
    }
    return DirectoryStore.open(path, clock);
  }
}
