package dev.cowbell.storage.s3;

import dev.cowbell.storage.AccessDeniedException;
import dev.cowbell.storage.ObjectNotFoundException;
import dev.cowbell.storage.Retries;
import dev.cowbell.storage.StoreException;
import java.io.IOException;
import software.amazon.awssdk.services.s3.model.BucketAlreadyOwnedByYouException;
import software.amazon.awssdk.services.s3.model.NoSuchBucketException;

/** The bucket itself. */
final class S3Buckets {

  private S3Buckets() {}

  static void makeIfMissing(S3Requests requests, Retries retries) throws IOException {
    if (!retries.call(_ -> exists(requests))) {
      retries.call(_ -> make(requests));
    }
  }

  private static boolean exists(S3Requests requests) throws IOException {
    try {
      requests.send(
          "looking for the bucket",
          client ->
              client.headBucket(
                  r -> r.bucket(requests.bucket()).overrideConfiguration(requests.limit(0))));
      return true;
    } catch (AccessDeniedException e) {
      // Who may only use objects may not look at the bucket. What is tried next will tell.
      return true;
    } catch (StoreException e) {
      if (e instanceof ObjectNotFoundException || e.getCause() instanceof NoSuchBucketException) {
        return false;
      }
      throw e;
    }
  }

  private static boolean make(S3Requests requests) throws IOException {
    try {
      requests.send(
          "creating the bucket",
          client ->
              client.createBucket(
                  r -> r.bucket(requests.bucket()).overrideConfiguration(requests.limit(0))));
    } catch (StoreException e) {
      if (!(e.getCause() instanceof BucketAlreadyOwnedByYouException)) {
        throw e;
      }
    }
    return true;
  }
}
