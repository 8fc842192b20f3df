package dev.cowbell.qcow2.refcount;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.RefcountWidth;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Gives an image refcounts of another width: a whole new refcount structure is written to free
 * clusters, then one write of the header puts it in force, then the old one is freed. A crash
 * leaves either of the two in force, and the other one leaked.
 */
public final class RefcountWidthChange {

  private final HostFile file;
  private final HeadWriter head;
  private final Header header;
  private final Geometry geometry;
  private final Geometry wanted;
  private final ClusterAllocator allocator;
  private final Refcounts refcounts;

  private RefcountWidthChange(HostFile file, HeadWriter head, RefcountWidth width)
      throws IOException {
    this.file = file;
    this.head = head;
    this.header = head.head().header();
    this.geometry = header.geometry();
    this.wanted = new Geometry(geometry.clusterBits(), geometry.extendedL2(), width);
    this.allocator = ClusterAllocator.open(file, head);
    this.refcounts = allocator.structure();
  }

  /**
   * Changes the width; nothing happens if the image has it already.
   *
   * @param file open for writing; nobody else may know anything of the image's refcounts
   * @throws UnsupportedFeatureException if a refcount does not fit the new width, the table would
   *     be longer than allowed, or the image is of version 2 and so has 16 bits
   */
  public static void run(HostFile file, HeadWriter head, RefcountWidth width) throws IOException {
    Header header = head.head().header();
    if (header.refcountWidth().equals(width)) {
      return;
    }
    if (header.version() < 3) {
      throw new UnsupportedFeatureException(
          "an image of version 2 has refcounts of %d bits, not of %d"
              .formatted(header.refcountWidth().bits(), width.bits()));
    }
    RefcountWidthChange change = new RefcountWidthChange(file, head, width);
    change.checkFits();
    Place place = change.reserve();
    change.freeOld(place, change.putInForce(place));
  }

  private void checkFits() throws IOException {
    long end = refcounts.described();
    Refcounts.Cursor cursor = refcounts.cursor();
    long max = wanted.refcountWidth().max();
    for (long at = 0; at < end; at++) {
      long refcount = cursor.get(at);
      if (refcount < 0 || refcount > max) {
        throw new UnsupportedFeatureException(
            "the cluster at %d is referred to %s times, refcounts of %d bits allow %d"
                .formatted(
                    at << geometry.clusterBits(),
                    Long.toUnsignedString(refcount),
                    wanted.refcountWidth().bits(),
                    max));
      }
    }
  }

  /** A place for a new structure: blocks first, then the table. */
  private record Place(long cluster, long blocks, long tableClusters) {}

  /** Allocates clusters for a structure that describes the image and these clusters themselves. */
  private Place reserve() throws IOException {
    long blocks = countBlocks();
    long table = tableClusters();
    while (true) {
      long at = allocator.allocate(blocks + table) >>> geometry.clusterBits();
      long neededBlocks = countBlocks();
      long neededTable = tableClusters();
      if (neededBlocks <= blocks && neededTable <= table) {
        return new Place(at, blocks, table);
      }
      allocator.rollBack();
      blocks = Math.max(blocks, neededBlocks) + 1;
      table = Math.max(table, neededTable);
    }
  }

  private long tableClusters() throws UnsupportedFeatureException {
    long end = refcounts.described();
    long entries = ((end - 1) >>> wanted.refcountBlockBits()) + 1;
    long bytes = entries * RefcountTable.ENTRY_SIZE;
    if (bytes > Geometry.MAX_REFCOUNT_TABLE_BYTES) {
      throw new UnsupportedFeatureException(
          "the refcount table would need %d bytes, allowed are %d"
              .formatted(bytes, Geometry.MAX_REFCOUNT_TABLE_BYTES));
    }
    return geometry.clustersFor(bytes);
  }

  /** The new blocks that are needed for all used clusters. */
  private long countBlocks() throws IOException {
    long end = refcounts.described();
    long blocks = 0;
    long at = refcounts.nextUsed(0, end);
    while (at < end) {
      blocks++;
      long next = ((at >>> wanted.refcountBlockBits()) + 1) << wanted.refcountBlockBits();
      at = next >= end ? end : refcounts.nextUsed(next, end);
    }
    return blocks;
  }

  /**
   * Writes the structure and switches over.
   *
   * @return how many of the blocks are used
   */
  private long putInForce(Place place) throws IOException {
    long end = refcounts.described();
    long nextBlock = place.cluster();
    ByteBuffer table =
        ByteBuffer.allocate(Math.toIntExact(place.tableClusters() << geometry.clusterBits()));
    ByteBuffer block = ByteBuffer.allocate(geometry.clusterSize());
    long at = refcounts.nextUsed(0, end);
    while (at < end) {
      long index = at >>> wanted.refcountBlockBits();
      long blockEnd = Math.min(end, (index + 1) << wanted.refcountBlockBits());
      fill(block, index << wanted.refcountBlockBits(), blockEnd);
      long offset = nextBlock++ << geometry.clusterBits();
      file.write(offset, block.clear());
      table.putLong(Math.toIntExact(index * RefcountTable.ENTRY_SIZE), offset);
      at = blockEnd >= end ? end : refcounts.nextUsed(blockEnd, end);
    }
    long tableOffset = (place.cluster() + place.blocks()) << geometry.clusterBits();
    file.write(tableOffset, table);
    allocator.writeBack();
    file.flush();
    head.clearUnknownAutoclear();
    head.putRefcounts(tableOffset, place.tableClusters(), wanted.refcountWidth());
    return nextBlock - place.cluster();
  }

  private void fill(ByteBuffer block, long first, long end) throws IOException {
    block.clear().put(new byte[block.capacity()]);
    Refcounts.Cursor cursor = refcounts.cursor();
    for (long cluster = first; cluster < end; cluster++) {
      long refcount = cursor.get(cluster);
      if (refcount != 0) {
        wanted.refcountWidth().set(block, (int) (cluster - first), refcount);
      }
    }
  }

  /** Frees the old blocks and the old table, in the new structure, and new blocks to spare. */
  private void freeOld(Place place, long usedBlocks) throws IOException {
    ClusterAllocator changed = ClusterAllocator.open(file, head);
    changed.freeLater(
        (place.cluster() + usedBlocks) << geometry.clusterBits(),
        (place.blocks() - usedBlocks) << geometry.clusterBits());
    refcounts.eachBlock(offset -> changed.freeLater(offset, 1));
    changed.freeLater(refcounts.tableOffset(), refcounts.tableSize());
    changed.freeNow();
    file.flush();
  }
}
