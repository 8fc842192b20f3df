package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.Extent;
import java.io.IOException;
import java.util.Iterator;
import org.jspecify.annotations.Nullable;

/**
 * The extents that an overlay is to hold, in ascending order, without overlaps. Used by one thread
 * at a time.
 *
 * <ul>
 *   <li>{@link Extent.Status#DATA}: read and stored (as zero clusters where zeroes are read);
 *   <li>{@link Extent.Status#ZERO}: said to be zero in an increment, left out in a full;
 *   <li>{@link Extent.Status#UNALLOCATED}: left out, as what lies between extents.
 * </ul>
 *
 * <p>Extents need no alignment: a cluster that extents touch in part is read from the source as a
 * whole.
 */
@FunctionalInterface
public interface ExtentCursor {

  /** The next extent, or null behind the last one. */
  @Nullable Extent next() throws IOException;

  /** The extents of an iterator. */
  static ExtentCursor of(Iterator<Extent> extents) {
    return () -> extents.hasNext() ? extents.next() : null;
  }
}
