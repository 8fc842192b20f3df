package dev.cowbell.agent.cli;

/** How a command ended, for scripts. */
public enum ExitCode {
  DONE(0),
  FAILED(1),
  USAGE(2),
  /** Done, but something deserves a look; standard error says what. */
  WARNINGS(3),
  /** {@code verify} found damage. */
  DAMAGE(4),
  /** Somebody else holds the repository or the image. */
  LOCKED(5),
  NOT_FOUND(6),
  INTERRUPTED(130),

  /** {@code image check}: as qemu-img. */
  CHECK_CORRUPT(2),
  /** {@code image check}: as qemu-img; only leaks. */
  CHECK_LEAKS(3),
  /** {@code image compare}: as qemu-img. */
  IMAGES_DIFFER(1),
  /** {@code image compare}: as qemu-img; it could not be found out. */
  COMPARE_FAILED(2);

  private final int code;

  ExitCode(int code) {
    this.code = code;
  }

  /** The process's exit code. */
  public int code() {
    return code;
  }
}
