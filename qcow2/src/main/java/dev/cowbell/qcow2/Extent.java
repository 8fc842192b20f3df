package dev.cowbell.qcow2;

/**
 * A run of guest bytes of one status.
 *
 * @param offset the first guest byte
 * @param length the number of bytes, at least 1
 * @param status what the run holds
 */
public record Extent(long offset, long length, Status status) {

  /** What a run of guest bytes holds. */
  public enum Status {
    /**
     * Bytes are stored somewhere: in the image, compressed or not, or in one of its backing files.
     */
    DATA,
    /** The run reads as zeroes because the image says so. */
    ZERO,
    /** No layer of the chain says anything about the run; it reads as zeroes. */
    UNALLOCATED
  }

  public Extent {
    if (offset < 0 || length < 1 || offset + length < 0) {
      throw new IllegalArgumentException("not an extent: offset " + offset + ", length " + length);
    }
  }

  /** The first guest byte behind the run. */
  public long end() {
    return offset + length;
  }
}
