package dev.cowbell.storage.s3;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoreUnavailableException;
import dev.cowbell.storage.StoredObject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.SdkResponse;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;

/** Gets objects' bytes from the socket into the caller's buffer, with nothing whole in between. */
final class S3Reads {

  private static final int THROUGH_HEAP = 64 << 10;

  private S3Reads() {}

  /** Fills a buffer that has room. When that fails, its position tells how far it came. */
  static void range(
      S3Requests requests, ObjectKey key, long at, ByteBuffer dst, Optional<ETag> ifMatch)
      throws IOException {
    String what = "reading " + key;
    long end = Math.addExact(at, dst.remaining());
    GetObjectRequest.Builder request =
        request(requests, key, dst.remaining()).range("bytes=" + at + "-" + (end - 1));
    ifMatch.ifPresent(etag -> request.ifMatch(etag.value()));
    requests.send(
        what,
        client -> {
          try (Answer answer = new Answer(client, request.build())) {
            requireRange(what, requests, answer.head(), at, end);
            answer.readInto(dst, System.nanoTime() + requests.timeFor(dst.remaining()).toNanos());
          } catch (IOException e) {
            throw cut(what, requests, e);
          }
          return dst;
        });
  }

  static StoredObject whole(S3Requests requests, ObjectKey key, int limit) throws IOException {
    String what = "reading " + key;
    return requests.send(
        what,
        client -> {
          try (Answer answer = new Answer(client, request(requests, key, limit).build())) {
            GetObjectResponse head = answer.head();
            ObjectInfo info =
                info(
                    requests,
                    key,
                    what,
                    head,
                    head.contentLength(),
                    head.eTag(),
                    head.lastModified());
            info.requireAtMost(limit);
            ByteBuffer body = ByteBuffer.allocate(Math.toIntExact(info.size()));
            answer.readInto(body, System.nanoTime() + requests.timeFor(info.size()).toNanos());
            return new StoredObject(info, body.flip());
          } catch (IOException e) {
            throw cut(what, requests, e);
          }
        });
  }

  /** What an answer to HEAD tells. */
  static ObjectInfo info(S3Requests requests, ObjectKey key, String what, HeadObjectResponse head)
      throws StoreException {
    return info(requests, key, what, head, head.contentLength(), head.eTag(), head.lastModified());
  }

  private static ObjectInfo info(
      S3Requests requests,
      ObjectKey key,
      String what,
      SdkResponse answer,
      @Nullable Long length,
      @Nullable String etag,
      @Nullable Instant modified)
      throws StoreException {
    if (length == null || length < 0) {
      throw requests.garbage(what, "it has no length");
    }
    return new ObjectInfo(
        key,
        length,
        requests.etag(what, etag),
        modified == null ? requests.serverTime(answer) : modified);
  }

  private static GetObjectRequest.Builder request(S3Requests requests, ObjectKey key, long bytes) {
    return GetObjectRequest.builder()
        .bucket(requests.bucket())
        .key(requests.key(key))
        .overrideConfiguration(requests.limit(bytes));
  }

  private static void requireRange(
      String what, S3Requests requests, GetObjectResponse head, long at, long end)
      throws StoreException {
    var _ = requests.etag(what, head.eTag());
    String range = Objects.requireNonNullElse(head.contentRange(), "none");
    String wanted = "bytes " + at + "-" + (end - 1) + "/";
    if (range.startsWith(wanted)) {
      return;
    }
    if (range.startsWith("bytes " + at + "-")) {
      throw new StoreException(
          what + " in " + requests.location() + ": ends before " + end + " (" + range + ")");
    }
    throw requests.garbage(what, "it has the range " + range + ", not " + wanted);
  }

  private static StoreException cut(String what, S3Requests requests, IOException e) {
    return e instanceof StoreException explained
        ? explained
        : new StoreUnavailableException(
            what + " in " + requests.location() + ": cut off: " + S3Errors.oneLine(e), e);
  }

  /** An answer under way: given up, connection and all, unless it was read to its end. */
  private static final class Answer implements AutoCloseable {

    private final ResponseInputStream<GetObjectResponse> in;
    private boolean whole;

    Answer(S3Client client, GetObjectRequest request) {
      this.in = client.getObject(request);
    }

    GetObjectResponse head() {
      return in.response();
    }

    void readInto(ByteBuffer dst, long deadline) throws IOException {
      byte[] heap =
          dst.hasArray() ? new byte[0] : new byte[Math.min(THROUGH_HEAP, dst.remaining())];
      while (dst.hasRemaining()) {
        int n =
            dst.hasArray()
                ? in.read(dst.array(), dst.arrayOffset() + dst.position(), dst.remaining())
                : in.read(heap, 0, Math.min(heap.length, dst.remaining()));
        if (n < 0) {
          throw new IOException("the answer ended " + dst.remaining() + " bytes early");
        }
        if (dst.hasArray()) {
          dst.position(dst.position() + n);
        } else {
          dst.put(heap, 0, n);
        }
        if (System.nanoTime() - deadline > 0) {
          throw new IOException("too slow, " + dst.remaining() + " bytes missing");
        }
      }
      whole = in.read() < 0;
    }

    @Override
    public void close() throws IOException {
      if (whole) {
        in.close();
      } else {
        in.abort();
      }
    }
  }
}
