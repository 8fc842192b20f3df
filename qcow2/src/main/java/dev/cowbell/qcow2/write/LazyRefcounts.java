package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Header;

/**
 * Whether a writer leaves refcounts unwritten until the image is closed (specification: "lazy
 * refcounts bit"). Meanwhile the image carries the dirty bit: after a crash its refcounts have to
 * be repaired before anything is written to it, which takes a look at all of its metadata.
 */
public enum LazyRefcounts {
  /** As the image's header says. */
  AS_STATED,
  /** Whatever the header says; refused for version 2, which has no dirty bit. */
  ON,
  /** Whatever the header says. */
  OFF;

  void check(Header header) throws UnsupportedFeatureException {
    if (this == ON && header.version() < 3) {
      throw new UnsupportedFeatureException(
          "lazy refcounts need an image of version 3 (compat=1.1), this is version "
              + header.version());
    }
  }

  boolean appliesTo(Header header) {
    return switch (this) {
      case AS_STATED -> header.features().has(Feature.LAZY_REFCOUNTS);
      case ON -> header.version() >= 3;
      case OFF -> false;
    };
  }
}
