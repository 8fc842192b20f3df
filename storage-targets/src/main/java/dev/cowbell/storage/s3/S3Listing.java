package dev.cowbell.storage.s3;

import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.Collections;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.S3Object;

/** Lists a bucket page by page. */
final class S3Listing implements Iterator<ObjectInfo> {

  private static final String WHAT = "listing";

  private final S3Requests requests;
  private final String prefix;
  private final String after;
  private String lastKey;
  private @Nullable String token;
  private boolean more = true;
  private Iterator<S3Object> page = Collections.emptyIterator();
  private @Nullable ObjectInfo next;

  /** Gets the first page. */
  S3Listing(S3Requests requests, String prefix, Optional<ObjectKey> after) throws IOException {
    this.requests = requests;
    this.prefix = requests.location().prefix() + prefix;
    this.after = after.map(requests::key).orElse("");
    this.lastKey = this.after;
    fetch();
  }

  private void fetch() throws IOException {
    ListObjectsV2Response answer =
        requests.send(
            WHAT,
            client ->
                client.listObjectsV2(r ->
                    r.bucket(requests.bucket())
                        .prefix(prefix)
                        .startAfter(after.isEmpty() ? null : after)
                        .continuationToken(token)
                        .overrideConfiguration(requests.limit(0))));
    if (answer.isTruncated() == null) {
      // A stranger's page must not pass for an empty bucket.
      throw requests.garbage(WHAT, "it is no listing");
    }
    more = answer.isTruncated();
    token = answer.nextContinuationToken();
    if (more && (token == null || answer.contents().isEmpty())) {
      throw requests.garbage(WHAT, "more is promised, but not where");
    }
    page = answer.contents().iterator();
  }

  @Override
  public boolean hasNext() {
    try {
      while (next == null && (page.hasNext() || more)) {
        if (page.hasNext()) {
          next = understood(page.next());
        } else {
          fetch();
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return next != null;
  }

  private @Nullable ObjectInfo understood(S3Object object) throws IOException {
    String key = Objects.requireNonNullElse(object.key(), "");
    if (key.compareTo(lastKey) <= 0) {
      // Otherwise a server could keep us here for ever.
      throw requests.garbage(WHAT, "a key comes out of order");
    }
    lastKey = key;
    Optional<ObjectKey> ours =
        key.startsWith(prefix) ? requests.location().objectOf(key) : Optional.empty();
    if (ours.isEmpty()) {
      return null;
    }
    if (object.size() == null || object.size() < 0) {
      throw requests.garbage(WHAT, "an object has no size");
    }
    return new ObjectInfo(
        ours.get(),
        object.size(),
        requests.etag(WHAT, object.eTag()),
        Objects.requireNonNullElse(object.lastModified(), Instant.EPOCH));
  }

  @Override
  public ObjectInfo next() {
    if (!hasNext() || next == null) {
      throw new NoSuchElementException();
    }
    ObjectInfo found = next;
    next = null;
    return found;
  }
}
