package dev.cowbell.bitmaps;

/**
 * A run of bytes {@code [offset, offset + length)}.
 *
 * @param offset the first byte
 * @param length the number of bytes, at least 1; {@code offset + length} fits a long
 */
public record Run(long offset, long length) {

  public Run {
    if (offset < 0 || length < 1 || offset + length < 0) {
      throw new IllegalArgumentException("not a run: offset " + offset + ", length " + length);
    }
  }

  /** The first byte behind the run. */
  public long end() {
    return offset + length;
  }
}
