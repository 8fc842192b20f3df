package dev.cowbell.agent.repository;

import dev.cowbell.storage.ObjectKey;
import java.io.IOException;

/** An object of the repository is not what was once stored, or never was what it should be. */
public final class DamagedObjectException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String key;
  private final String problem;

  /**
   * @param key the object
   * @param problem what was found and what is allowed
   */
  public DamagedObjectException(ObjectKey key, String problem) {
    super(key + ": " + problem);
    this.key = key.value();
    this.problem = problem;
  }

  /** The object's key. */
  public ObjectKey key() {
    return new ObjectKey(key);
  }

  /** What is wrong, without the key. */
  public String problem() {
    return problem;
  }
}
