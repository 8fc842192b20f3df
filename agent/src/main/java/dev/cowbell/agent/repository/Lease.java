package dev.cowbell.agent.repository;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.StoredObject;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right to write one VM's points, held by one writer at a time and renewed by a thread of its
 * own. Whoever is about to change what others rely on calls {@link #check} first. What a writer
 * that lost its lease without noticing can still do is harmless: see docs/concurrency.md.
 */
public final class Lease implements Closeable {

  private static final Logger LOG = LoggerFactory.getLogger(Lease.class);
  private static final int BEATS = 4;

  private final ObjectStore store;
  private final LeaseTerms terms;
  private final LeaseOwner owner;
  private final ObjectKey key;
  private final ReentrantLock lock = new ReentrantLock();
  private final CountDownLatch closing = new CountDownLatch(1);
  private LeaseRecord record;
  private ETag etag;
  private @Nullable LeaseLostException lost;
  private boolean unsettled;

  Lease(ObjectStore store, LeaseTerms terms, LeaseOwner owner, LeaseRecord record, ETag etag) {
    this.store = store;
    this.terms = terms;
    this.owner = owner;
    this.key = Layout.lease(record.vm());
    this.record = record;
    this.etag = etag;
  }

  void beginHeartbeat() {
    Thread.ofVirtual().name("lease-" + record.vm()).start(this::beat);
  }

  private void beat() {
    long pause = terms.duration().toNanos() / BEATS;
    try {
      while (!closing.await(pause, TimeUnit.NANOSECONDS)) {
        try {
          check();
        } catch (LeaseLostException e) {
          LOG.warn("{}", e.getMessage());
          return;
        } catch (IOException e) {
          LOG.warn("{} could not be renewed yet: {}", key, e.getMessage());
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Greater than that of every writer before. */
  public long epoch() {
    return record.epoch();
  }

  /**
   * Makes sure, by renewing it, that the lease is still held.
   *
   * @throws LeaseLostException if it is not
   */
  public void check() throws IOException {
    lock.lock();
    try {
      renew(record.next(terms.clock().instant(), record.point()));
    } finally {
      lock.unlock();
    }
  }

  /**
   * Says which point is going to be made. Should this writer not live to say what became of it, the
   * next one settles whether it exists before it does anything else.
   */
  public void announce(PointId point) throws IOException {
    lock.lock();
    try {
      renew(record.next(terms.clock().instant(), Optional.of(point)));
    } finally {
      lock.unlock();
    }
  }

  /** The announced point may or may not come to exist: the next writer has to find out. */
  public void leaveUnsettled() {
    unsettled = true;
  }

  private void renew(LeaseRecord next) throws IOException {
    if (lost != null) {
      throw lost;
    }
    try {
      etag = put(store, next, Precondition.ifMatch(etag));
      record = next;
    } catch (PreconditionFailedException e) {
      owner.isDone();
      lost = new LeaseLostException(record.vm(), e);
      throw lost;
    }
  }

  /** Puts a version of a lease; an answer that was lost does not make a success a failure. */
  static ETag put(ObjectStore store, LeaseRecord record, Precondition precondition)
      throws IOException {
    ObjectKey key = Layout.lease(record.vm());
    byte[] document = record.encode();
    try {
      return store.put(key, ByteBuffer.wrap(document), precondition).etag();
    } catch (IOException e) {
      Optional<StoredObject> stored = Repository.document(store, key);
      if (stored.isPresent() && Arrays.equals(Repository.bytes(stored.get()), document)) {
        return stored.get().info().etag();
      }
      throw e;
    }
  }

  /** Gives the lease back, if it is still held; should that fail, it runs out by itself. */
  @Override
  public void close() {
    closing.countDown();
    lock.lock();
    try {
      if (lost == null) {
        put(
            store,
            record.free(unsettled ? record.point() : Optional.empty()),
            Precondition.ifMatch(etag));
      }
    } catch (PreconditionFailedException e) {
      LOG.warn("{} was taken over by another writer", key);
    } catch (IOException e) {
      LOG.warn("{} could not be given back, it runs out by itself: {}", key, e.getMessage());
    } finally {
      lost = lost == null ? new LeaseLostException(record.vm(), new IllegalStateException()) : lost;
      owner.isDone();
      lock.unlock();
    }
  }
}
