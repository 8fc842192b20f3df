package dev.cowbell.storage.s3;

import dev.cowbell.storage.ConditionalPutTrial;
import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.Retries;
import dev.cowbell.storage.StoreCapabilities;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoreProbe;
import dev.cowbell.storage.StoreProbe.Finding;
import dev.cowbell.storage.StoreUnavailableException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/** Finds out which of S3's abilities a server has, by using them. */
final class S3Probe {

  private static final int COPIED = (int) PartSizes.MIN_PART;

  private final S3Requests requests;
  private final Retries retries;

  S3Probe(S3Requests requests, Retries retries) {
    this.requests = requests;
    this.retries = retries;
  }

  /**
   * @param trustful the store, leaving conditions to the server
   */
  StoreProbe run(ObjectStore trustful) throws IOException {
    Finding conditionalPut = conditionalPut(trustful);
    Finding rangeCopy = rangeCopy(trustful);
    return new StoreProbe(
        new StoreCapabilities(conditionalPut.works(), rangeCopy.works()),
        List.of(conditionalPut, rangeCopy, objectLock()));
  }

  private static Finding conditionalPut(ObjectStore trustful) throws IOException {
    try {
      return ConditionalPutTrial.run(trustful).finding();
    } catch (StoreException e) {
      if (!S3Errors.isNotImplemented(e.getCause())) {
        throw e;
      }
      return new Finding("conditional put", false, e.getMessage());
    }
  }

  /** Copies a range of S3's shortest length, with the version of the source as a condition. */
  private Finding rangeCopy(ObjectStore store) throws IOException {
    String folder = ConditionalPutTrial.probePrefix();
    ObjectKey source = new ObjectKey(folder + "/source");
    ObjectKey copy = new ObjectKey(folder + "/copy");
    byte[] bytes = new byte[COPIED + 1];
    new Random().nextBytes(bytes);
    MultipartUpload upload = new MultipartUpload(requests, retries, copy);
    try {
      ObjectInfo written = store.put(source, ByteBuffer.wrap(bytes), Precondition.NONE);
      upload.begin();
      upload.copy(1, source, 1, COPIED, written.etag());
      ETag etag = upload.complete(COPIED).etag();
      ByteBuffer read = ByteBuffer.allocate(COPIED);
      store.read(copy, 0, read, Optional.of(etag));
      boolean same = read.flip().equals(ByteBuffer.wrap(bytes, 1, COPIED));
      return new Finding(
          "range copy",
          same,
          same
              ? "ranges of 5 MiB and more move inside the store"
              : "a copied range reads as something else; copies go through this machine");
    } catch (StoreUnavailableException e) {
      throw e;
    } catch (StoreException e) {
      return new Finding("range copy", false, e.getMessage() + "; copies go through this machine");
    } finally {
      upload.abort();
      store.delete(List.of(source, copy));
    }
  }

  private Finding objectLock() throws IOException {
    String feature = "object lock";
    try {
      var answer =
          retries.call(_ ->
              requests.send(
                  "looking for object lock",
                  client ->
                      client.getObjectLockConfiguration(r ->
                          r.bucket(requests.bucket()).overrideConfiguration(requests.limit(0)))));
      boolean on =
          answer.objectLockConfiguration() != null
              && "Enabled".equals(answer.objectLockConfiguration().objectLockEnabledAsString());
      return new Finding(feature, on, on ? "enabled for this bucket" : "not enabled");
    } catch (StoreUnavailableException e) {
      throw e;
    } catch (StoreException e) {
      return new Finding(feature, false, "not enabled for this bucket, or not known here");
    }
  }
}
