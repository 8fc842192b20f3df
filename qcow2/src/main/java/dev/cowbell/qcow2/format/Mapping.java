package dev.cowbell.qcow2.format;

import java.util.OptionalLong;

/** What an L2 entry says about guest bytes: the meaning of its bits. Offsets are in bytes. */
public sealed interface Mapping {
  Mapping UNALLOCATED = new Unallocated(OptionalLong.empty());
  Mapping ZERO = new Zero(OptionalLong.empty());

  /** Stored as they are from {@code hostOffset} on, in the image or its external data file. */
  record Data(long hostOffset) implements Mapping {}

  /**
   * Reads as zeroes.
   *
   * @param preallocated the host offset of a cluster that is kept for later, if there is one
   */
  record Zero(OptionalLong preallocated) implements Mapping {}

  /** One whole cluster, packed into {@code length} bytes at most, in the image file itself. */
  record Compressed(long hostOffset, int length) implements Mapping {}

  /**
   * Nothing is said here: the backing file shows through; without one it reads as zeroes.
   *
   * @param preallocated the host offset kept for a subcluster whose neighbours hold data
   */
  record Unallocated(OptionalLong preallocated) implements Mapping {}
}
