package dev.cowbell.agent.repository;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectKey;
import java.util.regex.Pattern;

/**
 * What a manifest says of a stored overlay, enough to notice any byte of it that changed.
 *
 * @param key where it is
 * @param size its length in bytes
 * @param etag the store's name for this version of it
 * @param clusterSize in bytes
 * @param headDigest of its first cluster, SHA-256 in hexadecimal; the head names the digest of the
 *     integrity table, which holds those of all metadata, which hold those of all data
 * @param bodyDigest of everything behind its first cluster, SHA-256 in hexadecimal
 */
public record OverlayRecord(
    ObjectKey key, long size, ETag etag, int clusterSize, String headDigest, String bodyDigest) {

  private static final Pattern DIGEST = Pattern.compile("[0-9a-f]{64}");
  static final int MIN_CLUSTER = 512;
  static final int MAX_CLUSTER = 2 << 20;

  public OverlayRecord {
    if (size < 0) {
      throw new IllegalArgumentException("overlay size " + size + " is negative");
    }
    if (clusterSize < MIN_CLUSTER
        || clusterSize > MAX_CLUSTER
        || Integer.bitCount(clusterSize) != 1) {
      throw new IllegalArgumentException(
          "cluster size %d is no power of two from 512 bytes to 2 MiB".formatted(clusterSize));
    }
    if (!DIGEST.matcher(headDigest).matches() || !DIGEST.matcher(bodyDigest).matches()) {
      throw new IllegalArgumentException("a digest is 64 hexadecimal digits");
    }
  }
}
