package dev.cowbell.storage.s3;

import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.services.s3.model.ListMultipartUploadsResponse;

/** Aborts uploads that nobody goes on with: their parts take room and are seen by no listing. */
final class S3UploadSweep {

  /** A server tells the time of an upload more finely than that of its answer. */
  private static final Duration CLOCK_GRAIN = Duration.ofSeconds(1);

  private static final int MAX_PAGES = 10_000;

  private final S3Requests requests;

  S3UploadSweep(S3Requests requests) {
    this.requests = requests;
  }

  private record Orphan(String key, String uploadId) {}

  /** Aborts what is older than an age, and returns how many those were. */
  int run(String prefix, Duration minimumAge) throws IOException {
    List<Orphan> orphans = find(requests.location().prefix() + prefix, minimumAge);
    for (Orphan orphan : orphans) {
      abort(requests, orphan.key(), orphan.uploadId());
    }
    return orphans.size();
  }

  /** Aborts an upload, or finds that it is gone. */
  static void abort(S3Requests requests, String key, String uploadId) throws IOException {
    try {
      requests.send(
          "clearing an upload to " + key,
          client ->
              client.abortMultipartUpload(r ->
                  r.bucket(requests.bucket())
                      .key(key)
                      .uploadId(uploadId)
                      .overrideConfiguration(requests.limit(0))));
    } catch (dev.cowbell.storage.ObjectNotFoundException e) {
      // Gone is what was wanted.
    }
  }

  private List<Orphan> find(String prefix, Duration minimumAge) throws IOException {
    List<Orphan> found = new ArrayList<>();
    String key = null;
    String id = null;
    for (int i = 0; i < MAX_PAGES; i++) {
      ListMultipartUploadsResponse page = page(prefix, key, id);
      Instant newest = requests.serverTime(page).plus(CLOCK_GRAIN).minus(minimumAge);
      page.uploads().stream()
          .filter(u -> u.key() != null && u.uploadId() != null && u.key().startsWith(prefix))
          .filter(u -> requests.location().objectOf(u.key()).isPresent())
          .filter(u -> u.initiated() != null && !u.initiated().isAfter(newest))
          .forEach(u -> found.add(new Orphan(u.key(), u.uploadId())));
      if (!page.isTruncated() || page.nextKeyMarker() == null) {
        return found;
      }
      key = page.nextKeyMarker();
      id = page.nextUploadIdMarker();
    }
    throw requests.garbage("listing uploads", "it goes on for more than " + MAX_PAGES + " pages");
  }

  private ListMultipartUploadsResponse page(
      String prefix, @Nullable String keyMarker, @Nullable String idMarker) throws IOException {
    String what = "listing uploads";
    ListMultipartUploadsResponse page =
        requests.send(
            what,
            client ->
                client.listMultipartUploads(r ->
                    r.bucket(requests.bucket())
                        .prefix(prefix)
                        .keyMarker(keyMarker)
                        .uploadIdMarker(idMarker)
                        .overrideConfiguration(requests.limit(0))));
    if (page.isTruncated() == null) {
      throw requests.garbage(what, "it is no listing");
    }
    return page;
  }
}
