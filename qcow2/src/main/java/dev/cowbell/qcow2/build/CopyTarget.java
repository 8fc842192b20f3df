package dev.cowbell.qcow2.build;

import java.io.IOException;

/**
 * What a disk is copied to: mostly a new image in the making. Chunks of the disk are placed one at
 * a time and in guest order, then written, by any thread and in any order.
 */
public sealed interface CopyTarget permits NewQcow2Image, NewRawImage, ExistingDisk {

  /** The bytes of a unit: the smallest run that is written or left out. */
  int unit();

  /** Whether what is left out reads as zeroes. */
  boolean startsZero();

  /** The size of the disk in bytes. */
  long diskSize();

  /** Decides where a chunk's units go in the file. */
  void place(Chunk chunk) throws IOException;

  /** Writes a chunk that was placed. */
  void write(Chunk chunk) throws IOException;

  /**
   * Handles a run that is not in any chunk and reads as zeroes; placed like a chunk, in order.
   *
   * @param at a multiple of the unit
   */
  void placeZeroes(long at, long length) throws IOException;

  /** Makes the image complete; before this it is none. Nothing is flushed. */
  void finish() throws IOException;
}
