package dev.cowbell.qcow2;

import java.util.Optional;
import java.util.OptionalLong;

/**
 * A run of guest bytes and where it comes from, in the terms of {@code qemu-img map}.
 *
 * @param start the first guest byte
 * @param length the number of bytes, at least 1
 * @param kind what the run is
 * @param depth the layer that decides what the run reads as: 0 for the image itself, 1 for its
 *     backing file, and so on
 * @param offset where the run starts in {@code file}, if it lies there as it is or a place is kept
 *     for it
 * @param file the name of the host file that {@code offset} points into
 */
public record MapEntry(
    long start, long length, Kind kind, int depth, OptionalLong offset, Optional<String> file) {

  /** What a run is. */
  public enum Kind {
    /** Stored as it is. */
    DATA,
    /** A place is kept for it in a hole of the host file: it reads as zeroes. */
    HOLE,
    /** Stored compressed. */
    COMPRESSED,
    /** The layer says that it reads as zeroes. */
    ZERO,
    /** No layer says anything about it; it reads as zeroes. */
    ABSENT
  }

  /** Whether some layer says something about the run. */
  public boolean present() {
    return kind != Kind.ABSENT;
  }

  /** Whether the run is known to read as zeroes. */
  public boolean zero() {
    return kind == Kind.ZERO || kind == Kind.ABSENT || kind == Kind.HOLE;
  }

  /** Whether the layer has a place for the run's bytes. */
  public boolean data() {
    return kind == Kind.DATA || kind == Kind.COMPRESSED || kind == Kind.HOLE;
  }

  public boolean compressed() {
    return kind == Kind.COMPRESSED;
  }

  /** The first guest byte behind the run. */
  public long end() {
    return start + length;
  }

  /** What {@link GuestDisk#extents} calls the run. */
  public Extent.Status status() {
    return switch (kind) {
      case DATA, COMPRESSED -> Extent.Status.DATA;
      case ZERO, HOLE -> Extent.Status.ZERO;
      case ABSENT -> Extent.Status.UNALLOCATED;
    };
  }

  /** Whether a run that starts where this ends goes on in the same way. */
  boolean continuesIn(MapEntry next) {
    return next.start == end()
        && next.kind == kind
        && next.depth == depth
        && next.file.equals(file)
        && (offset.isPresent()
            ? next.offset.isPresent() && next.offset.getAsLong() == offset.getAsLong() + length
            : next.offset.isEmpty());
  }
}
