package dev.cowbell.agent.repository;

import dev.cowbell.storage.ObjectKey;
import java.io.IOException;

/** A point needs an object that is missing or can't be used. */
public final class BrokenChainException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String disk;
  private final String key;
  private final String problem;

  /**
   * @param disk whose chain it is
   * @param key the object
   * @param problem what is wrong with it
   */
  public BrokenChainException(DiskName disk, ObjectKey key, String problem) {
    super("the chain of disk %s is broken: %s: %s".formatted(disk, key, problem));
    this.disk = disk.value();
    this.key = key.value();
    this.problem = problem;
  }

  /** Whose chain it is. */
  public DiskName disk() {
    return new DiskName(disk);
  }

  /** What is wrong with the object, such as "is missing". */
  public String problem() {
    return problem;
  }

  /** The object that is missing or can't be used. */
  public ObjectKey key() {
    return new ObjectKey(key);
  }
}
