package dev.cowbell.storage.s3;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectNotFoundException;
import dev.cowbell.storage.Retries;
import dev.cowbell.storage.StoreException;
import java.io.IOException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.services.s3.model.CompleteMultipartUploadResponse;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.CreateMultipartUploadResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.UploadPartCopyResponse;
import software.amazon.awssdk.services.s3.model.UploadPartRequest;
import software.amazon.awssdk.services.s3.model.UploadPartResponse;

/**
 * S3's multipart requests for one object, each repeated as often as need be. Parts may come from
 * several threads at once.
 *
 * <p>The object carries a random mark in its metadata, so that it can be told for sure whether a
 * completion whose answer was lost has made it.
 */
final class MultipartUpload {

  private static final String MARK = "cowbell-upload";

  private final S3Requests requests;
  private final Retries retries;
  private final ObjectKey key;
  private final String mark = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
  private final Map<Integer, CompletedPart> parts = new ConcurrentSkipListMap<>();
  private volatile @Nullable String id;

  MultipartUpload(S3Requests requests, Retries retries, ObjectKey key) {
    this.requests = requests;
    this.retries = retries;
    this.key = key;
  }

  boolean isBegun() {
    return id != null;
  }

  /** Opens the upload. Where the answer is lost, an orphan stays behind for the sweep. */
  void begin() throws IOException {
    String what = "beginning an upload to " + key;
    id =
        retries.call(_ -> {
          CreateMultipartUploadResponse answer =
              requests.send(
                  what,
                  client ->
                      client.createMultipartUpload(r ->
                          r.bucket(requests.bucket())
                              .key(requests.key(key))
                              .contentType("application/octet-stream")
                              .metadata(Map.of(MARK, mark))
                              .overrideConfiguration(requests.limit(0))));
          if (answer.uploadId() == null || answer.uploadId().isEmpty()) {
            throw requests.garbage(what, "it has no upload id");
          }
          return answer.uploadId();
        });
  }

  private String id() {
    return Objects.requireNonNull(id, "the upload has not begun");
  }

  void upload(int number, Part part) throws IOException {
    String what = "uploading part " + number + " of " + key;
    UploadPartRequest request =
        UploadPartRequest.builder()
            .bucket(requests.bucket())
            .key(requests.key(key))
            .uploadId(id())
            .partNumber(number)
            .contentMD5(part.md5())
            .overrideConfiguration(requests.limit(part.length()))
            .build();
    retries.call(_ -> {
      WatchedBody body = part.body();
      UploadPartResponse answer =
          requests.send(what, body, client -> client.uploadPart(request, body.forRequest()));
      return keep(what, number, answer.eTag());
    });
  }

  void copy(int number, ObjectKey source, long at, long length, ETag ifMatch) throws IOException {
    String what = "copying part " + number + " of " + key + " from " + source;
    String range = "bytes=" + at + "-" + (at + length - 1);
    retries.call(_ -> {
      UploadPartCopyResponse answer =
          requests.send(
              what,
              client ->
                  client.uploadPartCopy(r ->
                      r.sourceBucket(requests.bucket())
                          .sourceKey(requests.key(source))
                          .copySourceIfMatch("\"" + ifMatch + "\"")
                          .copySourceRange(range)
                          .destinationBucket(requests.bucket())
                          .destinationKey(requests.key(key))
                          .uploadId(id())
                          .partNumber(number)
                          .overrideConfiguration(requests.limit(length))));
      return keep(
          what, number, answer.copyPartResult() == null ? null : answer.copyPartResult().eTag());
    });
  }

  private ETag keep(String what, int number, @Nullable String etag) throws StoreException {
    ETag checked = requests.etag(what, etag);
    parts.put(number, CompletedPart.builder().partNumber(number).eTag(etag).build());
    return checked;
  }

  /**
   * Makes the object of all parts, in the order of their numbers.
   *
   * @param length how long it has to be then
   */
  ObjectInfo complete(long length) throws IOException {
    String what = "completing " + key;
    StoreException failure =
        new StoreException(
            what
                + " in "
                + requests.location()
                + ": the"
                + " object is not the one that was uploaded; somebody else has written it");
    try {
      retries.call(_ -> completeOnce(what));
    } catch (StoreException e) {
      // It may have been completed all the same, by an attempt whose answer was lost.
      failure = e;
    }
    Optional<ObjectInfo> made;
    try {
      made = retries.call(_ -> ours(length));
    } catch (StoreException e) {
      e.addSuppressed(failure);
      throw e;
    }
    if (made.isEmpty()) {
      throw failure;
    }
    return made.get();
  }

  private ETag completeOnce(String what) throws IOException {
    List<CompletedPart> all = List.copyOf(parts.values());
    CompleteMultipartUploadResponse answer =
        requests.send(
            what,
            client ->
                client.completeMultipartUpload(r ->
                    r.bucket(requests.bucket())
                        .key(requests.key(key))
                        .uploadId(id())
                        .multipartUpload(m -> m.parts(all))
                        .overrideConfiguration(requests.limit(0))));
    return requests.etag(what, answer.eTag());
  }

  /** The object under the key, if it is the one that this upload makes. */
  private Optional<ObjectInfo> ours(long length) throws IOException {
    String what = "looking for " + key;
    HeadObjectResponse answer;
    try {
      answer =
          requests.send(
              what,
              client ->
                  client.headObject(r ->
                      r.bucket(requests.bucket())
                          .key(requests.key(key))
                          .overrideConfiguration(requests.limit(0))));
    } catch (ObjectNotFoundException e) {
      return Optional.empty();
    }
    ObjectInfo info = S3Reads.info(requests, key, what, answer);
    boolean ours = mark.equals(answer.metadata().get(MARK)) && info.size() == length;
    return ours ? Optional.of(info) : Optional.empty();
  }

  /** Gives up the parts; nothing must be uploading any more. */
  void abort() throws IOException {
    String open = id;
    if (open != null) {
      retries.call(_ -> {
        S3UploadSweep.abort(requests, requests.key(key), open);
        return open;
      });
    }
  }
}
