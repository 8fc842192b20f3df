package dev.cowbell.qcow2.overlay;

/** Something about a stored overlay that is not as it was written. */
public sealed interface OverlayDamage {

  /** What is wrong, in one line, without the overlay's name. */
  String what();

  /** Nothing in the overlay can be trusted any more. */
  record Unreadable(String what) implements OverlayDamage {}

  /**
   * A part of the disk is lost, in this point and in those that build on it.
   *
   * @param guestOffset the first guest byte
   * @param guestLength the number of guest bytes, at least 1
   */
  record Lost(long guestOffset, long guestLength, String what) implements OverlayDamage {}

  /** No content is lost, but some byte or count is not what was written. */
  record Altered(String what) implements OverlayDamage {}
}
