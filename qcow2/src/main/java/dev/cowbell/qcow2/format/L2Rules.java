package dev.cowbell.qcow2.format;

import dev.cowbell.qcow2.CorruptImageException;

/**
 * What decides, besides its bits, what an L2 entry means in one image.
 *
 * @param geometry the image's sizes
 * @param version 2 or 3
 * @param dataFile whether guest data lies in an external data file
 */
public record L2Rules(Geometry geometry, int version, boolean dataFile) {

  /**
   * Whether an entry that is not compressed holds a host cluster. In an external data file the
   * cluster at offset 0 is as good as any; there the COPIED flag tells.
   */
  public boolean holdsCluster(long word) {
    return L2Entry.offset(word) != 0 || (dataFile && L2Entry.isCopied(word));
  }

  /**
   * Checks an entry as QEMU does when it reads through it.
   *
   * @param guestCluster the guest offset of the entry's cluster
   * @throws CorruptImageException if QEMU would answer the read with an error
   */
  public void check(long word, long bitmap, long guestCluster) throws CorruptImageException {
    if (L2Entry.isCompressed(word)) {
      if (dataFile) {
        throw corrupt("is compressed, which an external data file rules out", guestCluster, word);
      }
      return;
    }
    long offset = L2Entry.offset(word);
    boolean present = holdsCluster(word);
    if (geometry.extendedL2()) {
      int allocated = L2Entry.allocatedSubclusters(bitmap);
      if (present && (allocated & L2Entry.zeroSubclusters(bitmap)) != 0) {
        throw corrupt("has a subcluster that is both allocated and zero", guestCluster, word);
      }
      if (!present && allocated != 0) {
        throw corrupt("has allocated subclusters but no host cluster", guestCluster, word);
      }
    } else if (version < 3 && L2Entry.isZero(word)) {
      throw corrupt("has the zero flag, which version 2 does not know", guestCluster, word);
    }
    if (present && !geometry.isClusterAligned(offset)) {
      throw corrupt("points to an offset that is not cluster-aligned", guestCluster, word);
    }
    if (present && dataFile && offset != guestCluster) {
      throw corrupt(
          "points elsewhere into the data file than its guest offset", guestCluster, word);
    }
  }

  private static CorruptImageException corrupt(String what, long guestCluster, long word) {
    return new CorruptImageException(
        "the L2 entry %#018x of guest offset %d %s".formatted(word, guestCluster, what));
  }
}
