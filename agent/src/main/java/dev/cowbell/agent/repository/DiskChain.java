package dev.cowbell.agent.repository;

import java.util.List;

/**
 * A disk at a point: its overlay, its parent's, and so on down to a full one.
 *
 * @param links newest first, at least one; the last has no parent
 */
public record DiskChain(VmName vm, DiskName disk, List<Link> links) {

  /**
   * One overlay of a chain.
   *
   * @param point whose overlay it is
   * @param record what that point's manifest says of the disk
   */
  public record Link(PointId point, DiskRecord record) {}

  public DiskChain {
    links = List.copyOf(links);
    if (links.isEmpty()) {
      throw new IllegalArgumentException("a chain has at least one overlay");
    }
  }

  /** The newest link: the point that the chain is of. */
  public Link top() {
    return links.getFirst();
  }

  /** Whether every overlay was written with digests. */
  public boolean hasDigests() {
    return links.stream().allMatch(link -> link.record().digests().isPresent());
  }

  /** The number of overlays. */
  public int length() {
    return links.size();
  }
}
