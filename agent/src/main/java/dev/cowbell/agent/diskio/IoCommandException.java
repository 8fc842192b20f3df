package dev.cowbell.agent.diskio;

/** A command failed; the message is the line to print. */
final class IoCommandException extends Exception {
  private static final long serialVersionUID = 1L;

  /** Where qemu-io prints the line. */
  enum Stream {
    OUT,
    ERR,
    /** Nowhere: all was said already. */
    NONE
  }

  private final Stream stream;

  private IoCommandException(Stream stream, String line) {
    super(line);
    this.stream = stream;
  }

  /** A failure that belongs to the results. */
  static IoCommandException of(String line) {
    return new IoCommandException(Stream.OUT, line);
  }

  /** A failure that belongs on standard error. */
  static IoCommandException onError(String line) {
    return new IoCommandException(Stream.ERR, line);
  }

  /** A failure that was reported already. */
  static IoCommandException silently() {
    return new IoCommandException(Stream.NONE, "");
  }

  Stream stream() {
    return stream;
  }

  String line() {
    return String.valueOf(getMessage());
  }
}
