package dev.cowbell.qcow2.write;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 1, unit = TimeUnit.MINUTES)
class EntryLockTest {
  private final EntryLock lock = new EntryLock();
  private final List<String> order = new CopyOnWriteArrayList<>();

  /** Starts a thread that takes the lock, and returns when it waits for it. */
  private Thread waiting(String name, LongSupplier taking) throws InterruptedException {
    Thread thread =
        Thread.ofPlatform()
            .start(() -> {
              long stamp = taking.getAsLong();
              order.add(name);
              lock.release(stamp);
            });
    while (thread.getState() != Thread.State.WAITING && thread.isAlive()) {
      Thread.sleep(1);
    }
    return thread;
  }

  @Test
  void who_wants_to_share_waits_behind_who_wants_to_own() throws Exception {
    long shared = lock.share();
    Thread owner = waiting("owner", lock::own);
    Thread newcomer = waiting("newcomer", lock::share);
    assertThat(order).isEmpty();
    lock.release(shared);
    owner.join();
    newcomer.join();
    assertThat(order).containsExactly("owner", "newcomer");
  }

  @Test
  void an_owner_that_comes_back_waits_behind_who_came_before() throws Exception {
    long owned = lock.own();
    Thread second = waiting("second", lock::own);
    Thread newcomer = waiting("newcomer", lock::share);
    lock.release(owned);
    long again = lock.own();
    order.add("again");
    lock.release(again);
    second.join();
    newcomer.join();
    assertThat(order.getFirst()).isEqualTo("second");
    assertThat(order).containsExactlyInAnyOrder("second", "newcomer", "again");
  }

  @Test
  void an_owner_can_go_on_sharing() throws Exception {
    long shared = lock.downgrade(lock.own());
    Thread owner = waiting("owner", lock::own);
    assertThat(order).isEmpty();
    lock.release(shared);
    owner.join();
    long other = lock.share();
    lock.release(lock.share());
    lock.release(other);
  }
}
