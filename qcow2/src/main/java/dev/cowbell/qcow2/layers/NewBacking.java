package dev.cowbell.qcow2.layers;

import dev.cowbell.qcow2.ReferenceException;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import java.util.Optional;

/**
 * What an image is to say about its backing file.
 *
 * @param name as it stands in the image: relative names start from the image's folder
 * @param format {@code qcow2} or {@code raw}
 */
public record NewBacking(String name, String format) {
  private static final int SECTOR = 512;

  public NewBacking {
    if (name.isEmpty() || format.isEmpty()) {
      throw new IllegalArgumentException("a backing file has a name and a format");
    }
  }

  /**
   * A head that says it.
   *
   * @throws ReferenceException if there is no room for it, or no sense in it
   */
  static ImageHead head(ImageHead present, Optional<NewBacking> wanted) throws ReferenceException {
    if (wanted.isEmpty()) {
      return fitting(
          present
              .withoutExtension(HeaderExtension.BACKING_FORMAT_TYPE)
              .withBackingFile(Bytes.EMPTY));
    }
    if (present.header().features().has(Feature.RAW_EXTERNAL_DATA)) {
      throw new ReferenceException(
          "its data file is a raw image by itself, which leaves no room for a backing file");
    }
    Bytes name = Bytes.utf8(wanted.get().name());
    if (name.length() > Header.MAX_BACKING_FILE_NAME) {
      throw new ReferenceException(
          "the backing file's name has %d bytes, allowed are %d"
              .formatted(name.length(), Header.MAX_BACKING_FILE_NAME));
    }
    return fitting(
        present
            .withExtension(new HeaderExtension.BackingFormat(Bytes.utf8(wanted.get().format())))
            .withBackingFile(name));
  }

  /**
   * Leaves out the names of feature bits, which nobody needs, where the head then fits into the
   * sector that is written at once.
   */
  private static ImageHead fitting(ImageHead head) throws ReferenceException {
    ImageHead without = head.withoutExtension(HeaderExtension.FEATURE_NAME_TABLE_TYPE);
    try {
      int name = head.backingFileName().length();
      int length = without.encode().limit();
      boolean leaveOut =
          length - name <= SECTOR && (!fits(head) || head.encode().limit() - name > SECTOR);
      return leaveOut ? without : checked(head);
    } catch (IllegalArgumentException e) {
      throw new ReferenceException(
          "there is no room for the backing file's name: " + e.getMessage(), e);
    }
  }

  private static ImageHead checked(ImageHead head) {
    head.encode();
    return head;
  }

  private static boolean fits(ImageHead head) {
    try {
      head.encode();
      return true;
    } catch (IllegalArgumentException _) {
      return false;
    }
  }
}
