package dev.cowbell.agent;

import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What was asked for makes no sense or would do harm; nothing was changed. */
public final class RefusedException extends IOException {
  private static final long serialVersionUID = 1L;

  private final @Nullable String hint;

  public RefusedException(String message) {
    this(message, null);
  }

  /**
   * @param message what was found and what is allowed
   * @param hint what the user may do about it
   */
  public RefusedException(String message, @Nullable String hint) {
    super(message);
    this.hint = hint;
  }

  /** What the user may do about it. */
  public Optional<String> hint() {
    return Optional.ofNullable(hint);
  }
}
