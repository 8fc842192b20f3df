package dev.cowbell.storage;

import java.util.Map;

/**
 * What has gone to and from a store.
 *
 * @param counts what was asked of the store, by kind; each kind has an entry
 */
public record StoreTraffic(Map<Kind, Count> counts) {

  /** What a store can be asked. */
  public enum Kind {
    PUT,
    UPLOAD,
    COPY,
    READ,
    STAT,
    LIST,
    DELETE
  }

  /**
   * How often and how much.
   *
   * @param calls how often, failures included
   * @param bytes bytes put, uploaded, copied inside the store or read
   */
  public record Count(long calls, long bytes) {}

  public StoreTraffic {
    counts = Map.copyOf(counts);
  }

  /** The count of one kind. */
  public Count of(Kind kind) {
    return counts.getOrDefault(kind, new Count(0, 0));
  }

  /** Bytes that went through here to the store. */
  public long bytesUp() {
    return of(Kind.PUT).bytes() + of(Kind.UPLOAD).bytes();
  }

  /** Bytes that came through here from the store. */
  public long bytesDown() {
    return of(Kind.READ).bytes();
  }
}
