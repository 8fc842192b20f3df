package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.format.Geometry;
import java.io.IOException;

/**
 * What one overlay says of its guest clusters: its L1 and L2 tables, checked against what was
 * written. Calls may be concurrent.
 */
public interface OverlayTables {

  /** A name for messages: usually the object's key. */
  String name();

  /** The virtual size of the disk in bytes. */
  long size();

  /** Standard L2 entries only. */
  Geometry geometry();

  /** The first L1 index from {@code l1Index} on that has an L2 table, or -1 if there is none. */
  long nextTable(long l1Index);

  /**
   * Reads the L2 entries of consecutive guest clusters.
   *
   * @param firstCluster a guest offset divided by the cluster size
   * @param count how many, 0 to {@code dst.length}; they may span tables and end behind the disk
   * @param dst filled from index 0 on, with zeroes where there is no table
   * @throws dev.cowbell.qcow2.CorruptImageException if a table is not what was written
   */
  void readEntries(long firstCluster, int count, long[] dst) throws IOException;

  /** Where the data frames are read from. */
  OverlaySource source();
}
