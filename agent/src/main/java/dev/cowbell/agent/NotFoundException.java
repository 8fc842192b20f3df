package dev.cowbell.agent;

import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What was asked for is not there: a repository, a VM, a disk, a restore point. */
public final class NotFoundException extends IOException {
  private static final long serialVersionUID = 1L;

  private final @Nullable String hint;

  public NotFoundException(String message) {
    this(message, null);
  }

  /**
   * @param message what is not where
   * @param hint what the user may do about it
   */
  public NotFoundException(String message, @Nullable String hint) {
    super(message);
    this.hint = hint;
  }

  /** What the user may do about it. */
  public Optional<String> hint() {
    return Optional.ofNullable(hint);
  }
}
