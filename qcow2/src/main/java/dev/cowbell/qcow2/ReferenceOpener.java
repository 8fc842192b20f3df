package dev.cowbell.qcow2;

import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.HostIo;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;

/**
 * The gate that every file must pass which an image names: names in an image are the choice of
 * whoever made it.
 */
@FunctionalInterface
public interface ReferenceOpener {

  /**
   * Opens the file for reading, and for writing where the reference says so; the caller closes it.
   *
   * @throws ReferenceException if it may not be opened; the message need not name the referrer
   */
  HostFile open(FileReference reference) throws IOException;

  /** Opens nothing at all. */
  static ReferenceOpener denyAll() {
    return reference -> {
      throw new ReferenceException(
          "refers to the %s %s, and following references was not allowed"
              .formatted(reference.role(), Names.quoted(reference.filename())));
    };
  }

  /**
   * Opens whatever file or block device is named, with the given locks; or with those for writing
   * what is to be written.
   */
  static ReferenceOpener followFiles(ImageLock.Use use) {
    return followFiles(use, HostIo.CHANNEL);
  }

  /** Opens whatever file or block device is named, with the given locks and in the given way. */
  static ReferenceOpener followFiles(ImageLock.Use use, HostIo io) {
    return reference -> io.open(reference.path(), reference.written() ? ImageLock.Use.WRITE : use);
  }
}
