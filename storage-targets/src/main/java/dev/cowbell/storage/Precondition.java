package dev.cowbell.storage;

import java.util.Optional;

/** What must hold of an object for a write to it to happen. */
public sealed interface Precondition {

  /** Writes whatever is there. */
  record None() implements Precondition {}

  /** Writes only if there is no such object yet. */
  record IfAbsent() implements Precondition {}

  /** Writes only over that very version. */
  record IfMatch(ETag etag) implements Precondition {}

  Precondition NONE = new None();
  Precondition IF_ABSENT = new IfAbsent();

  static Precondition ifMatch(ETag etag) {
    return new IfMatch(etag);
  }

  /**
   * Compares a precondition with what is there.
   *
   * @param where the store's URL, for the message
   * @throws PreconditionFailedException if it does not hold
   */
  static void check(
      Precondition precondition, ObjectKey key, Optional<ObjectInfo> present, String where)
      throws PreconditionFailedException {
    boolean holds =
        switch (precondition) {
          case None _ -> true;
          case IfAbsent _ -> present.isEmpty();
          case IfMatch(ETag etag) -> present.filter(p -> p.etag().equals(etag)).isPresent();
        };
    if (!holds) {
      String found = present.map(p -> "version " + p.etag()).orElse("absent");
      String wanted = precondition instanceof IfMatch(ETag etag) ? "version " + etag : "absent";
      throw new PreconditionFailedException(
          key + " in " + where + " is " + found + ", not " + wanted);
    }
  }
}
