package dev.cowbell.storage.s3;

import dev.cowbell.storage.StoreCapabilities;
import java.util.Optional;

/** What is known of a server's abilities; learned from a probe, or from requests it refuses. */
final class S3Support {

  enum Known {
    UNTRIED,
    WORKS,
    MISSING;

    static Known of(boolean works) {
      return works ? WORKS : MISSING;
    }
  }

  private volatile Known conditionalPut = Known.UNTRIED;
  private volatile Known rangeCopy = Known.UNTRIED;

  S3Support(Optional<StoreCapabilities> known) {
    known.ifPresent(this::learn);
  }

  void learn(StoreCapabilities found) {
    conditionalPut = Known.of(found.conditionalPut());
    rangeCopy = Known.of(found.rangeCopy());
  }

  Known conditionalPut() {
    return conditionalPut;
  }

  Known rangeCopy() {
    return rangeCopy;
  }

  void conditionalPutIs(Known known) {
    conditionalPut = known;
  }

  void rangeCopyIs(Known known) {
    rangeCopy = known;
  }

  /** Most servers can do both, so that is assumed until one refuses or is found to pretend. */
  StoreCapabilities capabilities() {
    return new StoreCapabilities(conditionalPut != Known.MISSING, rangeCopy != Known.MISSING);
  }
}
