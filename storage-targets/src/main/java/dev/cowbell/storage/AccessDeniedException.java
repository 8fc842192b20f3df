package dev.cowbell.storage;

/** The store knows who asks and says no, or does not know who asks. */
public final class AccessDeniedException extends StoreException {
  private static final long serialVersionUID = 1L;

  public AccessDeniedException(String message) {
    super(message);
  }

  public AccessDeniedException(String message, Throwable cause) {
    super(message, cause);
  }
}
