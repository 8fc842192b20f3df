package dev.cowbell.storage;

import java.time.Instant;

/**
 * An object as the store lists it.
 *
 * @param key its name
 * @param size its length in bytes
 * @param etag changes whenever the object is replaced
 * @param lastModified by the store's clock
 */
public record ObjectInfo(ObjectKey key, long size, ETag etag, Instant lastModified) {

  /**
   * Checks the length before memory is taken for it.
   *
   * @throws StoreException if the object is longer than {@code limit} bytes
   */
  public void requireAtMost(int limit) throws StoreException {
    if (size > limit) {
      throw new StoreException(key + " is " + size + " bytes long; at most " + limit + " allowed");
    }
  }
}
