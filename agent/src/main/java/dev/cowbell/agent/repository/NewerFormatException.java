package dev.cowbell.agent.repository;

import dev.cowbell.storage.ObjectKey;
import java.io.IOException;

/** An object was written by a later Cowbell, in a format that this one can't read. */
public final class NewerFormatException extends IOException {
  private static final long serialVersionUID = 1L;

  NewerFormatException(ObjectKey key, long found, long known) {
    super(
        "%s: is of format %d, this Cowbell reads formats up to %d: use a newer Cowbell"
            .formatted(key, found, known));
  }
}
