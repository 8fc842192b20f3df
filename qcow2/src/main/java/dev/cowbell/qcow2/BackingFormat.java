package dev.cowbell.qcow2;

/** What to take a backing file for when neither header nor name says its format. */
public sealed interface BackingFormat {

  /** Refuse the image: guessing lets whoever wrote the backing file's first bytes decide. */
  record Stated() implements BackingFormat {}

  /** Take it for one format, {@code raw} or {@code qcow2}. */
  record Assumed(String format) implements BackingFormat {}

  /** Look at the file; for images whose guests are trusted. */
  record Probed() implements BackingFormat {}
}
