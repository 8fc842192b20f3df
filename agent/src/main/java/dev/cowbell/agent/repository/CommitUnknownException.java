package dev.cowbell.agent.repository;

import dev.cowbell.storage.ObjectKey;
import java.io.IOException;

/**
 * A manifest was sent, the store's answer was lost, and it could not be found: the point may exist,
 * or come to exist when the request arrives late, or not. Nothing that it would need may be
 * deleted.
 */
public final class CommitUnknownException extends IOException {
  private static final long serialVersionUID = 1L;

  CommitUnknownException(ObjectKey key, IOException cause) {
    super(
        key
            + ": the store did not say whether it was stored; the next backup will see: "
            + cause.getMessage(),
        cause);
  }
}
