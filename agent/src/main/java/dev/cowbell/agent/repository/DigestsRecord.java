package dev.cowbell.agent.repository;

/**
 * What a manifest says of the digests that go with an overlay. The object vouches for itself.
 *
 * @param size its length in bytes when the manifest was written; while points are merged, it may
 *     already be another
 */
public record DigestsRecord(long size) {

  public DigestsRecord {
    if (size < 0) {
      throw new IllegalArgumentException("digests of %d bytes".formatted(size));
    }
  }
}
