package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.refcount.HeadWriter;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * What was found to be damaged while writing. As with QEMU the image is then marked corrupt, and
 * nothing is written to it any more; version 2 has no mark, but this program stops all the same.
 */
final class Damage {
  private final HeadWriter head;
  private volatile @Nullable CorruptImageException first;
  private volatile @Nullable String lost;

  Damage(HeadWriter head) {
    this.head = head;
  }

  /** Something that may find damage in metadata. */
  @FunctionalInterface
  interface Step<T> {
    T run() throws IOException;
  }

  <T> T watch(Step<T> step) throws IOException {
    try {
      return step.run();
    } catch (CorruptImageException e) {
      throw found(e);
    }
  }

  /** Notes damage; returns it for throwing. */
  synchronized CorruptImageException found(CorruptImageException damage) {
    if (first == null) {
      first = damage;
      try {
        head.markCorrupt();
      } catch (IOException e) {
        damage.addSuppressed(e);
      }
    }
    return damage;
  }

  /** Notes that it is not known any more what the image's file holds. */
  void lost(String why) {
    lost = why;
  }

  /** Refuses to write where that was found to be unsafe. */
  void check() throws IOException {
    if (lost != null) {
      throw new IOException(
          "nothing is written any more since the image could not be read again: " + lost);
    }
    CorruptImageException damage = first;
    if (damage != null) {
      throw new CorruptImageException(
          "nothing is written any more since damage was found: " + damage.getMessage(), damage);
    }
  }

  boolean isAny() {
    return first != null;
  }
}
