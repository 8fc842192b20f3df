package dev.cowbell.agent.repository;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What a manifest says of a stored overlay, enough to notice any byte of it that changed.
 *
 * @param key where it is
 * @param size its length in bytes
 * @param etag the store's name for this version of it
 * @param clusterSize in bytes
 * @param headDigest of its first cluster, SHA-256 in hexadecimal; the head names the digest of the
 *     integrity table, which holds those of all metadata; each frame of data has its own checksum
 * @param bodyDigest of everything behind its first cluster, SHA-256 in hexadecimal; empty for a
 *     merged overlay, of which only the store has seen every byte
 * @param successors what a merge was about to put in its place: under the key lies this overlay or
 *     one of them, and whichever it is, the point reads the same
 */
public record OverlayRecord(
    ObjectKey key,
    long size,
    ETag etag,
    int clusterSize,
    String headDigest,
    Optional<String> bodyDigest,
    List<Successor> successors) {

  /**
   * An overlay that may have taken the place of the recorded one.
   *
   * @param size its length in bytes
   * @param clusterSize in bytes
   * @param headDigest of its first cluster
   * @param parent the point that its chain goes on with; empty for a full
   * @param counts what is in it
   */
  public record Successor(
      long size,
      int clusterSize,
      String headDigest,
      Optional<PointId> parent,
      DiskRecord.Counts counts) {
    public Successor {
      check(size, clusterSize, headDigest);
    }
  }

  /** The most successors: each interrupted merge of the same overlay leaves one. */
  public static final int MAX_SUCCESSORS = 64;

  private static final Pattern DIGEST = Pattern.compile("[0-9a-f]{64}");
  static final int MIN_CLUSTER = 512;
  static final int MAX_CLUSTER = 2 << 20;

  public OverlayRecord {
    successors = List.copyOf(successors);
    check(size, clusterSize, headDigest);
    bodyDigest.ifPresent(OverlayRecord::check);
    if (successors.size() > MAX_SUCCESSORS) {
      throw new IllegalArgumentException("more than " + MAX_SUCCESSORS + " successors");
    }
  }

  /** What a backup wrote. */
  public OverlayRecord(
      ObjectKey key, long size, ETag etag, int clusterSize, String headDigest, String bodyDigest) {
    this(key, size, etag, clusterSize, headDigest, Optional.of(bodyDigest), List.of());
  }

  private static void check(long size, int clusterSize, String headDigest) {
    if (size < 0) {
      throw new IllegalArgumentException("overlay size " + size + " is negative");
    }
    if (clusterSize < MIN_CLUSTER
        || clusterSize > MAX_CLUSTER
        || Integer.bitCount(clusterSize) != 1) {
      throw new IllegalArgumentException(
          "cluster size %d is no power of two from 512 bytes to 2 MiB".formatted(clusterSize));
    }
    check(headDigest);
  }

  private static void check(String digest) {
    if (!DIGEST.matcher(digest).matches()) {
      throw new IllegalArgumentException("a digest is 64 hexadecimal digits");
    }
  }

  /** The same overlay with other successors. */
  public OverlayRecord withSuccessors(List<Successor> others) {
    return new OverlayRecord(key, size, etag, clusterSize, headDigest, bodyDigest, others);
  }

  /** What is recorded when a successor is in its place. */
  public OverlayRecord replacedBy(Successor successor, ObjectInfo info) {
    return new OverlayRecord(
        key,
        info.size(),
        info.etag(),
        successor.clusterSize(),
        successor.headDigest(),
        Optional.empty(),
        List.of());
  }

  /** Whether the object may have a length. */
  public boolean mayHaveSize(long found) {
    return found == size || successors.stream().anyMatch(s -> s.size() == found);
  }

  /** The head digests that the object may have, the recorded overlay's first. */
  public List<String> headDigests() {
    return Stream.concat(Stream.of(headDigest), successors.stream().map(Successor::headDigest))
        .toList();
  }
}
