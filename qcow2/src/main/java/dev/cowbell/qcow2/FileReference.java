package dev.cowbell.qcow2;

import java.nio.file.Path;

/**
 * What an image says about another file that it needs.
 *
 * @param role what the file is to the image
 * @param referrer the name of the image file that says so
 * @param filename the file's name, without prefixes
 * @param relativeTo what a relative name starts from
 * @param written whether the file is to be written to, as the data file of a writable image is
 */
public record FileReference(
    Role role, String referrer, String filename, Base relativeTo, boolean written) {

  /** What a file is to the image that refers to it. */
  public enum Role {
    BACKING_FILE("backing file"),
    DATA_FILE("data file");

    private final String title;

    Role(String title) {
      this.title = title;
    }

    @Override
    public String toString() {
      return title;
    }
  }

  /** What a relative name starts from. */
  public enum Base {
    /** The folder of the image that refers to the file: plain names of backing files. */
    REFERRER,
    /**
     * The process's working directory: data files, and names inside {@code json:}, {@code file:}.
     */
    WORKING_DIRECTORY
  }

  /**
   * The path that is meant.
   *
   * @throws java.nio.file.InvalidPathException if the name can't be that of a file here
   */
  public Path path() {
    return relativeTo == Base.REFERRER
        ? Path.of(referrer).resolveSibling(filename)
        : Path.of(filename);
  }
}
