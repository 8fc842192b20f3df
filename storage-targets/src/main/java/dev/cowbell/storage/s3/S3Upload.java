package dev.cowbell.storage.s3;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectNotFoundException;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectUpload;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.s3.S3Support.Known;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An object in the making. Its first part, which holds the head and what follows it, stays in
 * memory until the commit; the others are uploaded side by side as they fill. What never outgrows
 * the first part becomes a single PUT.
 *
 * <p>S3 has no atomic look-and-complete that servers agree on. So the precondition of a longer
 * object is looked at right before it is completed; of two racers both may get through, and the
 * last one stays. The race is decided where the objects are committed to: by a conditional PUT of
 * the manifest.
 */
final class S3Upload implements ObjectUpload {

  private static final Logger LOG = LoggerFactory.getLogger(S3Upload.class);

  private final ObjectKey key;
  private final int headLength;
  private final Precondition precondition;
  private final PartSizes sizes;
  private final PartMemory memory;
  private final MultipartUpload multipart;
  private final ObjectStore store;
  private final S3Support support;
  private final PartsInFlight inFlight = new PartsInFlight();

  private final Part first;
  private Part current;
  private int lastNumber = 1;

  /** Bytes in the first part, once it is set aside, and in all later ones. */
  private long sealed;

  private @Nullable ObjectInfo checkedSource;
  private boolean usable = true;
  private boolean closed;

  /**
   * @param store where small objects go, and sources of copies are looked at; tries again by itself
   */
  S3Upload(
      ObjectKey key,
      int headLength,
      Precondition precondition,
      PartSizes sizes,
      PartMemory memory,
      MultipartUpload multipart,
      ObjectStore store,
      S3Support support)
      throws IOException {
    this.key = key;
    this.headLength = headLength;
    this.precondition = precondition;
    this.sizes = sizes;
    this.memory = memory;
    this.multipart = multipart;
    this.store = store;
    this.support = support;
    memory.allow(PartSizes.first(headLength) + 2 * sizes.base());
    this.first = new Part(memory);
    this.current = first;
    step(() -> {
      first.reserve(headLength);
      return first;
    });
  }

  /** What one call does; it may wait for memory. */
  @FunctionalInterface
  private interface Step<T> {
    T make() throws IOException, InterruptedException;
  }

  /** One step of the upload, after whose failure there is no next one. */
  private <T> T step(Step<T> step) throws IOException {
    if (!usable) {
      throw new IllegalStateException(
          "the upload of " + key + (closed ? " is closed" : " has failed"));
    }
    usable = false;
    try {
      inFlight.throwFailure();
      T result = step.make();
      usable = true;
      return result;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException("uploading " + key + ": interrupted", e);
    }
  }

  @Override
  public void append(ByteBuffer body) throws IOException {
    step(() -> {
      add(body);
      return key;
    });
  }

  private void add(ByteBuffer body) throws IOException, InterruptedException {
    requireLength(body.remaining());
    while (body.hasRemaining()) {
      long room = room();
      if (room == 0) {
        seal();
      } else {
        current.append(body, room);
      }
    }
  }

  private long room() {
    long size = current == first ? PartSizes.first(headLength) : sizes.next(sealed);
    return Math.max(0, size - current.length());
  }

  private void requireLength(long growth) throws StoreException {
    if (growth > ObjectStore.MAX_OBJECT_SIZE - sealed - current.length()) {
      throw new StoreException(
          key + " grows beyond " + ObjectStore.MAX_OBJECT_SIZE + " bytes, which no store takes");
    }
  }

  /** Sends the current part, or sets the first one aside, and begins the next. */
  private void seal() throws IOException, InterruptedException {
    inFlight.throwFailure();
    if (!multipart.isBegun()) {
      multipart.begin();
    }
    Part full = current;
    sealed += full.length();
    if (full != first) {
      int number = nextNumber();
      inFlight.start(() -> {
        try {
          multipart.upload(number, full);
        } finally {
          full.release();
        }
      });
    }
    memory.allow(first.length() + 2 * sizes.next(sealed));
    current = new Part(memory);
  }

  private int nextNumber() throws StoreException {
    if (lastNumber == PartSizes.MAX_PARTS) {
      throw new StoreException(
          key + " needs more than " + PartSizes.MAX_PARTS + " parts, which S3 does not take");
    }
    return ++lastNumber;
  }

  @Override
  public void appendCopy(ObjectKey source, long at, long length, ETag ifMatch) throws IOException {
    if (at < 0 || length < 0) {
      throw new IllegalArgumentException("can't copy " + length + " bytes from " + at);
    }
    step(() -> {
      requireSource(source, at, length, ifMatch);
      requireLength(length);
      copy(source, at, length, ifMatch);
      return key;
    });
  }

  private void requireSource(ObjectKey source, long at, long length, ETag ifMatch)
      throws IOException {
    if (checkedSource == null
        || !checkedSource.key().equals(source)
        || !checkedSource.etag().equals(ifMatch)) {
      checkedSource =
          store
              .stat(source)
              .orElseThrow(() -> new ObjectNotFoundException(source + " does not exist"));
    }
    if (!checkedSource.etag().equals(ifMatch)) {
      throw new PreconditionFailedException(
          source + " is version " + checkedSource.etag() + ", not " + ifMatch);
    }
    if (length > checkedSource.size() - at) {
      throw new StoreException(
          source + " ends at " + checkedSource.size() + ", before " + at + " + " + length);
    }
  }

  /** Copies inside the store as far as parts can be made of it, and the rest through memory. */
  private void copy(ObjectKey source, long at, long length, ETag ifMatch)
      throws IOException, InterruptedException {
    boolean startsPart = current != first && current.length() == 0;
    long before = startsPart ? 0 : Math.max(0, PartSizes.MIN_PART - current.length());
    if (support.rangeCopy() == Known.MISSING
        || length - before < sizes.shortestCopy(lastNumber, sealed)) {
      copyThroughMemory(source, at, length, ifMatch);
      return;
    }
    copyThroughMemory(source, at, before, ifMatch);
    if (!startsPart) {
      seal();
    }
    long from = at + before;
    long rest = length - before;
    for (int left = sizes.copyPieces(rest, sealed); left > 0; left--) {
      long piece = rest / left;
      if (!copyPart(source, from, piece, ifMatch)) {
        copyThroughMemory(source, from, rest, ifMatch);
        return;
      }
      from += piece;
      rest -= piece;
    }
  }

  /**
   * @return false if it turns out that the server can't
   */
  private boolean copyPart(ObjectKey source, long at, long length, ETag ifMatch)
      throws IOException, InterruptedException {
    inFlight.throwFailure();
    int number = nextNumber();
    if (support.rangeCopy() == Known.WORKS) {
      inFlight.start(() -> multipart.copy(number, source, at, length, ifMatch));
    } else {
      try {
        multipart.copy(number, source, at, length, ifMatch);
        support.rangeCopyIs(Known.WORKS);
      } catch (StoreException e) {
        if (!S3Errors.isNotImplemented(e.getCause())) {
          throw e;
        }
        support.rangeCopyIs(Known.MISSING);
        lastNumber--;
        return false;
      }
    }
    sealed += length;
    return true;
  }

  private void copyThroughMemory(ObjectKey source, long at, long length, ETag ifMatch)
      throws IOException, InterruptedException {
    if (length == 0) {
      return;
    }
    ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(length, PartSizes.MIN_PART));
    for (long done = 0; done < length; done += buffer.limit()) {
      buffer.clear().limit((int) Math.min(length - done, buffer.capacity()));
      store.read(source, at + done, buffer, Optional.of(ifMatch));
      add(buffer.flip());
    }
  }

  @Override
  public ObjectInfo commit(ByteBuffer head) throws IOException {
    if (head.remaining() != headLength) {
      throw new IllegalArgumentException(
          "the head of " + key + " is " + headLength + " bytes, not " + head.remaining());
    }
    ObjectInfo made =
        step(() -> {
          first.fillFront(head);
          return multipart.isBegun() ? complete() : store.put(key, first.joined(), precondition);
        });
    release();
    return made;
  }

  private ObjectInfo complete() throws IOException, InterruptedException {
    if (current != first && current.length() > 0) {
      seal();
    }
    inFlight.start(() -> multipart.upload(1, first));
    inFlight.await();
    look();
    return multipart.complete(sealed);
  }

  private void look() throws IOException {
    if (!(precondition instanceof Precondition.None)) {
      Precondition.check(precondition, key, store.stat(key), store.url());
    }
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    boolean interrupted = Thread.interrupted();
    inFlight.cancel();
    try {
      multipart.abort();
    } catch (IOException e) {
      LOG.warn("an upload to {} is left behind, the next sweep clears it: {}", key, e.getMessage());
    }
    release();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void release() {
    closed = true;
    usable = false;
    inFlight.close();
    first.release();
    current.release();
  }
}
