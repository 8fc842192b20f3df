package dev.cowbell.storage;

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
}
