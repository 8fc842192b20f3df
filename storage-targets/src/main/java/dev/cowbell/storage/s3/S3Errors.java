package dev.cowbell.storage.s3;

import dev.cowbell.storage.AccessDeniedException;
import dev.cowbell.storage.ObjectNotFoundException;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoreFullException;
import dev.cowbell.storage.StoreUnavailableException;
import java.net.UnknownHostException;
import java.util.Objects;
import java.util.Set;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.s3.model.S3Error;

/** Says in the words of stores what an S3 server or the way to it said. */
final class S3Errors {

  /** Damage on the way, or a server too busy: the same request may well succeed. */
  private static final Set<String> PASSING =
      Set.of(
          "InternalError",
          "SlowDown",
          "ServiceUnavailable",
          "RequestTimeout",
          "Throttling",
          "ThrottlingException",
          "TooManyRequests",
          "BadDigest",
          "XAmzContentSHA256Mismatch",
          "IncompleteBody",
          "OperationAborted",
          "ConditionalRequestConflict");

  private static final Set<String> DENIED =
      Set.of("ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId");

  private static final Set<String> FULL =
      Set.of("QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity", "StorageFull");

  private S3Errors() {}

  /**
   * @param what what was being done to what, such as "writing vms/web/lease.json to s3://…"
   */
  static StoreException explain(String what, SdkException e) {
    return e instanceof AwsServiceException answer ? answered(what, answer) : unanswered(what, e);
  }

  /** Explains why one of many objects was not deleted. */
  static StoreException explain(String what, S3Error e) {
    String code = Objects.requireNonNullElse(e.code(), "");
    String message = what + ": " + shortened(code + " for " + e.key() + " (" + e.message() + ")");
    if (PASSING.contains(code)) {
      return new StoreUnavailableException(message);
    }
    return code.equals("AccessDenied")
        ? new AccessDeniedException(message)
        : new StoreException(message);
  }

  private static StoreException answered(String what, AwsServiceException e) {
    String code = code(e);
    int status = e.statusCode();
    String message = what + ": " + status + (code.isEmpty() ? "" : " " + code) + detail(e);
    if (PASSING.contains(code)) {
      return new StoreUnavailableException(message, e);
    }
    if (FULL.contains(code) || status == 507) {
      return new StoreFullException(message, e);
    }
    if (code.equals("NoSuchBucket")) {
      return new StoreException(what + ": there is no such bucket", e);
    }
    if (code.equals("RequestTimeTooSkewed")) {
      return new AccessDeniedException(message + "; is this machine's clock right?", e);
    }
    if (DENIED.contains(code)) {
      return new AccessDeniedException(message, e);
    }
    return switch (status) {
      case 301, 307 ->
          new StoreException(message + "; the bucket is in another region: set region=…", e);
      case 401, 403 -> new AccessDeniedException(message, e);
      case 404 -> new ObjectNotFoundException(message, e);
      case 412 -> new PreconditionFailedException(message, e);
      case 408, 409, 425, 429, 500, 502, 503, 504 -> new StoreUnavailableException(message, e);
      default -> new StoreException(message, e);
    };
  }

  private static StoreException unanswered(String what, SdkException e) {
    String message = what + ": " + oneLine(e);
    if (message.contains("Unable to load credentials")) {
      return new AccessDeniedException(
          what
              + ": no credentials found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or see"
              + " ~/.aws/credentials",
          e);
    }
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof SSLHandshakeException || cause instanceof SSLPeerUnverifiedException) {
        return new StoreException(message, e);
      }
      if (cause instanceof UnknownHostException) {
        return new StoreUnavailableException(what + ": unknown host " + cause.getMessage(), e);
      }
    }
    return new StoreUnavailableException(message, e);
  }

  /** Whether the server says that it does not know this kind of request. */
  static boolean isNotImplemented(@Nullable Throwable e) {
    return e instanceof AwsServiceException answer
        && (answer.statusCode() == 501
            || answer.statusCode() == 405
            || code(answer).equals("NotImplemented"));
  }

  /** Whether the server says that it does not know the upload, or not any more. */
  static boolean isNoSuchUpload(@Nullable Throwable e) {
    return e instanceof AwsServiceException answer && code(answer).equals("NoSuchUpload");
  }

  private static String code(AwsServiceException e) {
    return e.awsErrorDetails() == null
        ? ""
        : Objects.requireNonNullElse(e.awsErrorDetails().errorCode(), "");
  }

  private static String detail(AwsServiceException e) {
    String text = e.awsErrorDetails() == null ? null : e.awsErrorDetails().errorMessage();
    return text == null || text.isBlank() ? "" : " (" + shortened(text) + ")";
  }

  /** An exception's message, without the SDK's request ids and line breaks. */
  static String oneLine(Throwable e) {
    return shortened(Objects.requireNonNullElse(e.getMessage(), e.getClass().getSimpleName()));
  }

  private static String shortened(String text) {
    String line = text.replaceAll("\\p{Cntrl}+", " ").strip();
    return line.length() > 300 ? line.substring(0, 300) + "…" : line;
  }
}
