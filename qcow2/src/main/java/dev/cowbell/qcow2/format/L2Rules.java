package dev.cowbell.qcow2.format;

import dev.cowbell.qcow2.CorruptImageException;
import org.jspecify.annotations.Nullable;

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
    if (!allows(word, bitmap, guestCluster)) {
      throw broken(word, bitmap, guestCluster);
    }
  }

  /** Whether {@link #check} passes; for loops. */
  public boolean allows(long word, long bitmap, long guestCluster) {
    return offence(word, bitmap, guestCluster) == null;
  }

  /** What {@link #check} throws for an entry that it doesn't let pass. */
  public CorruptImageException broken(long word, long bitmap, long guestCluster) {
    return new CorruptImageException(
        "the L2 entry %#018x of guest offset %d %s"
            .formatted(word, guestCluster, offence(word, bitmap, guestCluster)));
  }

  private @Nullable String offence(long word, long bitmap, long guestCluster) {
    if (L2Entry.isCompressed(word)) {
      return dataFile ? "is compressed, which an external data file rules out" : null;
    }
    boolean present = holdsCluster(word);
    if (geometry.extendedL2()) {
      int allocated = L2Entry.allocatedSubclusters(bitmap);
      if (present && (allocated & L2Entry.zeroSubclusters(bitmap)) != 0) {
        return "has a subcluster that is both allocated and zero";
      }
      if (!present && allocated != 0) {
        return "has allocated subclusters but no host cluster";
      }
    } else if (version < 3 && L2Entry.isZero(word)) {
      return "has the zero flag, which version 2 does not know";
    }
    if (present && !geometry.isClusterAligned(L2Entry.offset(word))) {
      return "points to an offset that is not cluster-aligned";
    }
    if (present && dataFile && L2Entry.offset(word) != guestCluster) {
      return "points elsewhere into the data file than its guest offset";
    }
    return null;
  }
}
