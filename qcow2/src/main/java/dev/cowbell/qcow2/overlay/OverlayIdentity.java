package dev.cowbell.qcow2.overlay;

import java.nio.charset.StandardCharsets;

/**
 * Whose content an overlay holds, in its repository's words. It stands in the overlay's head, so
 * that an object that was moved or renamed still tells where it belongs.
 *
 * @param repository the repository's id
 * @param vm the virtual machine's name
 * @param disk the disk's name
 * @param point the restore point's id
 */
public record OverlayIdentity(String repository, String vm, String disk, String point) {

  /** The longest a part may be, in bytes of UTF-8. */
  public static final int MAX_PART = 255;

  public OverlayIdentity {
    for (String part : new String[] {repository, vm, disk, point}) {
      int length = part.getBytes(StandardCharsets.UTF_8).length;
      if (length > MAX_PART) {
        throw new IllegalArgumentException(
            "an identity's part has %d bytes, allowed are %d".formatted(length, MAX_PART));
      }
    }
  }
}
