package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One ring for all files and threads of the process that use io_uring; it is there while a file is
 * open that does.
 *
 * <p>No thread serves the ring: of those who wait, one leads. It waits in the kernel for whatever
 * is done first, and wakes whose it was, until its own request is done; then it lets the next one
 * lead. A lone thread thus makes one system call per request and never waits for another thread.
 * Requests that come together are handed to the kernel in one call.
 *
 * <p>Should the kernel refuse to be handed anything more, the ring has failed. What it took before
 * it still does, and that is waited for, since it uses the requests' memory; all else is {@link
 * #NOT_TAKEN}. A failed ring is nobody's any more once the files that are open have been closed.
 */
final class SharedRing {
  /** What {@link #perform} answers for a request that the kernel never saw. */
  static final int NOT_TAKEN = Integer.MIN_VALUE;

  private static final int ENTRIES = 256;
  private static final long LOOK_AGAIN_NANOS = 50_000;

  private static final ReentrantLock OPENING = new ReentrantLock();
  private static @Nullable SharedRing present;
  private static int users;

  /** One request under way. */
  private static final class Slot {
    private final int index;
    private volatile @Nullable Thread owner;
    private int place;
    private int result;
    private volatile boolean done;
    private volatile boolean parking;

    private Slot(int index) {
      this.index = index;
    }
  }

  private final Ring ring;
  private final Slot[] slots = new Slot[ENTRIES];
  private final ReentrantLock preparing = new ReentrantLock();
  private final Condition slotFree = preparing.newCondition();
  private final ArrayDeque<Slot> free = new ArrayDeque<>(ENTRIES);

  /** Prepared, and not yet in anybody's hands on the way to the kernel. */
  private final AtomicInteger prepared = new AtomicInteger();

  private final AtomicInteger parked = new AtomicInteger();
  private final AtomicBoolean led = new AtomicBoolean();

  /** Who may be handing requests to the kernel just now. */
  private final AtomicInteger entering = new AtomicInteger();

  /** The errno with which the kernel refused to be handed requests; 0 while all is well. */
  private volatile int failure;

  private SharedRing(Ring ring) {
    this.ring = ring;
    for (int i = 0; i < ENTRIES; i++) {
      slots[i] = new Slot(i);
      free.add(slots[i]);
    }
  }

  /**
   * The ring, for one more user.
   *
   * @throws IOException if there can be none, or the present one has failed
   */
  static SharedRing acquire() throws IOException {
    OPENING.lock();
    try {
      SharedRing ring = present;
      if (ring != null && ring.failure != 0) {
        throw Libc.failure("io_uring can't be used any more: io_uring_enter", ring.failure);
      }
      if (ring == null) {
        ring = new SharedRing(Ring.open(ENTRIES));
        present = ring;
      }
      users++;
      return ring;
    } finally {
      OPENING.unlock();
    }
  }

  /** One user less, none of whose requests are under way; the last one closes the ring. */
  void release() {
    OPENING.lock();
    try {
      users--;
      if (users == 0) {
        present = null;
        ring.close();
      }
    } finally {
      OPENING.unlock();
    }
  }

  /**
   * Carries out one request.
   *
   * @return what the kernel says: a number of bytes, or a negated errno; or {@link #NOT_TAKEN}
   */
  int perform(byte operation, int file, long at, long address, int length) {
    Slot slot = prepare(operation, file, at, address, length);
    if (slot == null) {
      return NOT_TAKEN;
    }
    boolean leads = led.compareAndSet(false, true);
    if (!leads) {
      hand(prepared.getAndSet(0));
      leads = waitToLead(slot);
    }
    if (leads) {
      lead(slot);
    }
    int result = slot.done ? slot.result : NOT_TAKEN;
    preparing.lock();
    try {
      slot.owner = null;
      free.push(slot);
      slotFree.signal();
    } finally {
      preparing.unlock();
    }
    return result;
  }

  /** Null if the ring has failed. */
  private @Nullable Slot prepare(byte operation, int file, long at, long address, int length) {
    preparing.lock();
    try {
      while (free.isEmpty()) {
        slotFree.awaitUninterruptibly();
      }
      Slot slot = free.pop();
      if (failure != 0) {
        free.push(slot);
        slotFree.signal();
        return null;
      }
      slot.owner = Thread.currentThread();
      slot.done = false;
      slot.place = ring.prepare(operation, file, at, address, length, slot.index);
      prepared.incrementAndGet();
      return slot;
    } finally {
      preparing.unlock();
    }
  }

  private void hand(int count) {
    for (int left = count; left > 0 && failure == 0; ) {
      left -= enter(left, false);
    }
  }

  private int enter(int count, boolean waiting) {
    entering.incrementAndGet();
    try {
      if (failure != 0) {
        return 0;
      }
      int taken = ring.enter(count, waiting);
      if (taken < 0) {
        failure = -taken;
      }
      return Math.max(0, taken);
    } finally {
      entering.decrementAndGet();
    }
  }

  /** Sleeps until the request is done or there is nobody who leads; whether we lead now. */
  private boolean waitToLead(Slot slot) {
    boolean interrupted = false;
    slot.parking = true;
    parked.incrementAndGet();
    try {
      while (!slot.done) {
        if (led.compareAndSet(false, true)) {
          return true;
        }
        LockSupport.park(this);
        interrupted |= Thread.interrupted();
      }
      return false;
    } finally {
      slot.parking = false;
      parked.decrementAndGet();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private void lead(Slot own) {
    ring.reap(this::complete);
    while (!own.done && !isLost(own)) {
      if (failure == 0) {
        int count = prepared.getAndSet(0);
        int taken = enter(count, true);
        if (taken < count) {
          hand(count - taken);
        }
      } else {
        LockSupport.parkNanos(this, LOOK_AGAIN_NANOS);
      }
      ring.reap(this::complete);
    }
    led.set(false);
    if (parked.get() > 0) {
      wakeOne();
    }
  }

  /** Whether the kernel will never see a request: nobody hands over anything any more. */
  private boolean isLost(Slot slot) {
    return failure != 0 && entering.get() == 0 && !ring.hasTaken(slot.place);
  }

  /** Whoever comes to wait after the look sees that nobody leads. */
  private void wakeOne() {
    for (Slot slot : slots) {
      if (slot.parking && !slot.done) {
        LockSupport.unpark(slot.owner);
        return;
      }
    }
  }

  private void complete(long index, int result) {
    Slot slot = slots[(int) index];
    Thread owner = slot.owner;
    slot.result = result;
    slot.done = true;
    if (owner != Thread.currentThread()) {
      LockSupport.unpark(owner);
    }
  }
}
