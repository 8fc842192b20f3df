package dev.cowbell.storage.s3;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectNotFoundException;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectUpload;
import dev.cowbell.storage.Pacer;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.Retries;
import dev.cowbell.storage.RetryingStore;
import dev.cowbell.storage.StoreCapabilities;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoreProbe;
import dev.cowbell.storage.StoredObject;
import dev.cowbell.storage.s3.S3Support.Known;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.concurrent.ThreadLocalRandom;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.services.s3.model.DeleteObjectsResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.PutObjectResponse;
import software.amazon.awssdk.services.s3.model.S3Error;

/**
 * Objects in an S3 bucket. Each method makes one attempt; {@link #open} puts a {@link
 * RetryingStore} around it. Uploads repeat their own requests.
 *
 * <p>Conditions on {@link #put} are the server's business where it has them. As long as that is not
 * proven by a {@link #probe}, a look comes before each conditional write, since some servers ignore
 * the condition in silence.
 */
public final class S3Store implements ObjectStore {

  private static final int DELETED_AT_ONCE = 1000;

  private final S3Requests requests;
  private final S3Support support;
  private final S3Settings settings;
  private final Retries retries;

  private S3Store(S3Requests requests, S3Support support, S3Settings settings, Retries retries) {
    this.requests = requests;
    this.support = support;
    this.settings = settings;
    this.retries = retries;
  }

  /**
   * Connects to a bucket, without asking it anything yet.
   *
   * @param credentials who asks; usually the AWS default chain
   * @param known what an earlier {@link #probe} found, if there was one
   * @param clock tells the time where the server does not
   */
  public static ObjectStore open(
      S3Location location,
      S3Settings settings,
      AwsCredentialsProvider credentials,
      Optional<StoreCapabilities> known,
      InstantSource clock)
      throws IOException {
    S3Requests requests =
        new S3Requests(
            S3Clients.connect(location, settings, credentials), location, settings, clock);
    RandomGenerator random = () -> ThreadLocalRandom.current().nextLong();
    Retries retries = new Retries(settings.retry(), Pacer.SYSTEM, random);
    S3Store store = new S3Store(requests, new S3Support(known), settings, retries);
    return new RetryingStore(store, retries);
  }

  /** The same, after making the bucket if there is none. */
  public static ObjectStore create(
      S3Location location,
      S3Settings settings,
      AwsCredentialsProvider credentials,
      InstantSource clock)
      throws IOException {
    try (S3Requests requests =
        new S3Requests(
            S3Clients.connect(location, settings, credentials), location, settings, clock)) {
      RandomGenerator random = () -> ThreadLocalRandom.current().nextLong();
      S3Buckets.makeIfMissing(requests, new Retries(settings.retry(), Pacer.SYSTEM, random));
    }
    return open(location, settings, credentials, Optional.empty(), clock);
  }

  @Override
  public String url() {
    return requests.location().toString();
  }

  @Override
  public StoreCapabilities capabilities() {
    return support.capabilities();
  }

  @Override
  public StoreProbe probe() throws IOException {
    // A look before each write would hide whether the server heeds conditions.
    S3Support trusting = new S3Support(Optional.of(new StoreCapabilities(true, true)));
    S3Store trustful = new S3Store(requests, trusting, settings, retries);
    StoreProbe probe = new S3Probe(requests, retries).run(new RetryingStore(trustful, retries));
    support.learn(probe.capabilities());
    return probe;
  }

  @Override
  public ObjectInfo put(ObjectKey key, ByteBuffer body, Precondition precondition)
      throws IOException {
    boolean conditional = !(precondition instanceof Precondition.None);
    if (conditional && support.conditionalPut() != Known.WORKS) {
      look(key, precondition);
    }
    boolean sendCondition = conditional && support.conditionalPut() != Known.MISSING;
    try {
      return send(key, body, sendCondition ? precondition : Precondition.NONE);
    } catch (StoreException e) {
      if (sendCondition && S3Errors.isNotImplemented(e.getCause())) {
        support.conditionalPutIs(Known.MISSING);
        return send(key, body, Precondition.NONE);
      }
      throw e;
    }
  }

  private ObjectInfo send(ObjectKey key, ByteBuffer body, Precondition precondition)
      throws IOException {
    String what = "writing " + key;
    MessageDigest md5 = Part.md5Digest();
    md5.update(body.duplicate());
    PutObjectRequest.Builder request =
        PutObjectRequest.builder()
            .bucket(requests.bucket())
            .key(requests.key(key))
            .contentMD5(Base64.getEncoder().encodeToString(md5.digest()))
            .overrideConfiguration(requests.limit(body.remaining()));
    switch (precondition) {
      case Precondition.None _ -> {}
      case Precondition.IfAbsent _ -> request.ifNoneMatch("*");
      // Without quotes: with them Ceph's gateway never finds a match.
      case Precondition.IfMatch match -> request.ifMatch(match.etag().value());
    }
    WatchedBody watched = new WatchedBody(() -> new ByteBufferStream(body), body.remaining());
    PutObjectResponse answer;
    try {
      answer =
          requests.send(
              what, watched, client -> client.putObject(request.build(), watched.forRequest()));
    } catch (ObjectNotFoundException e) {
      // If-Match on what is not there is answered by 404.
      throw precondition instanceof Precondition.IfMatch
          ? new PreconditionFailedException(key + " does not exist in " + url(), e)
          : e;
    }
    return new ObjectInfo(
        key, body.remaining(), requests.etag(what, answer.eTag()), requests.serverTime(answer));
  }

  private void look(ObjectKey key, Precondition precondition) throws IOException {
    if (!(precondition instanceof Precondition.None)) {
      Precondition.check(precondition, key, stat(key), url());
    }
  }

  @Override
  public ObjectUpload begin(
      ObjectKey key, int headLength, Precondition precondition, long expectedLength)
      throws IOException {
    if (headLength < 0 || headLength > ObjectUpload.MAX_HEAD_LENGTH) {
      throw new IllegalArgumentException(
          "a head is 0 to " + ObjectUpload.MAX_HEAD_LENGTH + " bytes, not " + headLength);
    }
    look(key, precondition);
    MultipartUpload multipart = new MultipartUpload(requests, retries, key);
    return new S3Upload(
        key,
        headLength,
        precondition,
        PartSizes.forLength(Math.clamp(expectedLength, 0, MAX_OBJECT_SIZE)),
        new PartMemory(settings.uploadMemory()),
        multipart,
        new RetryingStore(this, retries),
        support);
  }

  @Override
  public void read(ObjectKey key, long at, ByteBuffer dst, Optional<ETag> ifMatch)
      throws IOException {
    if (at < 0) {
      throw new IllegalArgumentException("can't read from " + at);
    }
    if (dst.hasRemaining()) {
      S3Reads.range(requests, key, at, dst, ifMatch);
    } else {
      Optional<ObjectInfo> present = stat(key);
      if (present.isEmpty()) {
        throw new ObjectNotFoundException(key + " does not exist in " + url());
      }
      if (ifMatch.isPresent()) {
        Precondition.check(Precondition.ifMatch(ifMatch.get()), key, present, url());
      }
    }
  }

  @Override
  public StoredObject get(ObjectKey key, int limit) throws IOException {
    return S3Reads.whole(requests, key, limit);
  }

  @Override
  public Optional<ObjectInfo> stat(ObjectKey key) throws IOException {
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
    return Optional.of(S3Reads.info(requests, key, what, answer));
  }

  @Override
  public Stream<ObjectInfo> list(String prefix, Optional<ObjectKey> after) throws IOException {
    S3Listing listing = new S3Listing(requests, ObjectKey.requirePrefix(prefix), after);
    return StreamSupport.stream(
        Spliterators.spliteratorUnknownSize(
            listing, Spliterator.ORDERED | Spliterator.DISTINCT | Spliterator.NONNULL),
        false);
  }

  @Override
  public void delete(Collection<ObjectKey> keys) throws IOException {
    List<ObjectIdentifier> all = new ArrayList<>();
    for (ObjectKey key : keys) {
      all.add(ObjectIdentifier.builder().key(requests.key(key)).build());
    }
    for (int at = 0; at < all.size(); at += DELETED_AT_ONCE) {
      List<ObjectIdentifier> some = all.subList(at, Math.min(at + DELETED_AT_ONCE, all.size()));
      String what = "deleting " + some.getFirst().key() + " and " + (some.size() - 1) + " more";
      DeleteObjectsResponse answer =
          requests.send(
              what,
              client ->
                  client.deleteObjects(r ->
                      r.bucket(requests.bucket())
                          .delete(d -> d.objects(some).quiet(false))
                          .overrideConfiguration(requests.limit(0))));
      for (S3Error error : answer.errors()) {
        if (!"NoSuchKey".equals(error.code())) {
          throw S3Errors.explain(what + " in " + url(), error);
        }
      }
      if (answer.deleted().size() + answer.errors().size() < some.size()) {
        throw requests.garbage(what, "it does not tell of every object");
      }
    }
  }

  @Override
  public int sweepUploads(String prefix, Duration minimumAge) throws IOException {
    return new S3UploadSweep(requests).run(ObjectKey.requirePrefix(prefix), minimumAge);
  }

  @Override
  public void close() {
    requests.close();
  }
}
