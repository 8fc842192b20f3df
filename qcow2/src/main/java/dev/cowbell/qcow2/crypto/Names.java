package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.UnsupportedFeatureException;

/** How a name that came from an image or a user is refused. */
final class Names {
  private Names() {}

  static UnsupportedFeatureException unsupported(String kind, String found, String known) {
    return new UnsupportedFeatureException(
        "encryption %s '%s' is not supported, allowed are %s"
            .formatted(kind, printable(found), known));
  }

  /** A text from an image for a message of one line. */
  static String printable(String text) {
    return text.replaceAll("\\p{C}", "?");
  }
}
