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
 */
final class SharedRing {
  private static final int ENTRIES = 256;

  private static final ReentrantLock OPENING = new ReentrantLock();
  private static @Nullable SharedRing present;
  private static int users;

  /** One request under way. */
  private static final class Slot {
    private final int index;
    private volatile @Nullable Thread owner;
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

  private SharedRing(Ring ring) {
    this.ring = ring;
    for (int i = 0; i < ENTRIES; i++) {
      slots[i] = new Slot(i);
      free.add(slots[i]);
    }
  }

  /** The ring, for one more user. */
  static SharedRing acquire() throws IOException {
    OPENING.lock();
    try {
      SharedRing ring = present;
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
   * @return what the kernel says: a number of bytes, or a negated errno
   */
  int perform(byte operation, int file, long at, long address, int length) {
    Slot slot = prepare(operation, file, at, address, length);
    boolean leads = led.compareAndSet(false, true);
    if (!leads) {
      hand(prepared.getAndSet(0));
      leads = waitToLead(slot);
    }
    if (leads) {
      lead(slot);
    }
    int result = slot.result;
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

  private Slot prepare(byte operation, int file, long at, long address, int length) {
    preparing.lock();
    try {
      while (free.isEmpty()) {
        slotFree.awaitUninterruptibly();
      }
      Slot slot = free.pop();
      slot.owner = Thread.currentThread();
      slot.done = false;
      ring.prepare(operation, file, at, address, length, slot.index);
      prepared.incrementAndGet();
      return slot;
    } finally {
      preparing.unlock();
    }
  }

  private void hand(int count) {
    for (int left = count; left > 0; ) {
      left -= ring.enter(left, false);
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
    while (!own.done) {
      int count = prepared.getAndSet(0);
      int taken = ring.enter(count, true);
      if (taken < count) {
        hand(count - taken);
      }
      ring.reap(this::complete);
    }
    led.set(false);
    if (parked.get() > 0) {
      wakeOne();
    }
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
