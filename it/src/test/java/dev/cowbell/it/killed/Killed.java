package dev.cowbell.it.killed;

/** Thrown at whatever a dead agent still tries to do; an error, so that no handler goes on. */
final class Killed extends Error {

  private static final long serialVersionUID = 1;

  Killed(String where) {
    super(where, null, false, false);
  }
}
