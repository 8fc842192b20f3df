package dev.cowbell.agent.repository;

import dev.cowbell.agent.RefusedException;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.directory.DirectoryStore;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.InstantSource;

/**
 * Where a repository lives, as the user gives it: a path, or {@code file:///path}.
 *
 * @param path the directory
 */
public record StoreUrl(Path path) {

  /** Whether a store that is not there may be made. */
  public enum Missing {
    CREATE,
    REFUSE
  }

  /**
   * Reads what the user gave.
   *
   * @throws RefusedException if it is no such place
   */
  public static StoreUrl parse(String text) throws RefusedException {
    try {
      if (text.startsWith("file:")) {
        return new StoreUrl(Path.of(new URI(text)));
      }
      if (text.contains("://")) {
        throw new RefusedException(
            "not a repository: \"%s\" (a path, file:///path or s3://bucket/prefix)"
                .formatted(Names.shown(text)));
      }
      return new StoreUrl(Path.of(text));
    } catch (java.net.URISyntaxException | IllegalArgumentException e) {
      throw new RefusedException(
          "not a repository: \"%s\": %s".formatted(Names.shown(text), e.getMessage()));
    }
  }

  /** Opens the store; the caller closes it. */
  public ObjectStore open(Missing missing, InstantSource clock) throws IOException {
    return missing == Missing.CREATE
        ? DirectoryStore.create(path, clock)
        : DirectoryStore.open(path, clock);
  }
}
