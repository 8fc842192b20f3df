package dev.cowbell.agent.repository;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.directory.DirectoryStore;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class LeaseTest {

  private static final VmName VM = Samples.VM;
  private static final LeaseTerms SHORT =
      new LeaseTerms(Clock.systemUTC(), "here", Duration.ofMillis(400));
  private static final LeaseOwner ELSEWHERE = new LeaseOwner("there", 7, 9, "another boot", "abcd");

  @TempDir private Path scratch;
  private Repository repository;

  @BeforeEach
  void make_a_repository() throws IOException {
    ObjectStore store = DirectoryStore.create(scratch.resolve("r"), Clock.systemUTC());
    Repository.init(store, Clock.systemUTC());
    repository = Repository.adopt(store);
  }

  @AfterEach
  void close() throws IOException {
    repository.close();
  }

  private Leases leases() {
    return new Leases(repository, SHORT);
  }

  /** A writer on another host that renewed its lease so long ago by its clock. */
  private LeaseRecord foreign(Duration ago, Optional<PointId> point) {
    Instant then = Clock.systemUTC().instant().minus(ago);
    return new LeaseRecord(
        VM,
        5,
        1,
        Optional.of(
            new LeaseRecord.Holder(ELSEWHERE, "backup", then, then, Duration.ofMillis(400))),
        point);
  }

  @Test
  void a_second_writer_is_refused_and_told_by_whom_since_when() throws IOException {
    try (Lease first = leases().acquire(VM, "prune")) {
      first.check();
      assertThatExceptionOfType(LeaseHeldException.class)
          .isThrownBy(() -> leases().acquire(VM, "backup"))
          .withMessageContaining("on here (prune since ");
    }
    try (Lease next = leases().acquire(VM, "backup")) {
      assertThat(next.epoch()).isEqualTo(2);
    }
    assertThat(leases().holder(VM)).isEmpty();
  }

  @Test
  void a_writer_that_an_error_stopped_while_it_took_the_lease_does_not_hold_it()
      throws IOException {
    Repository failing = Repository.adopt(runningOutOfMemoryAfterAPut(repository.store()));
    assertThatExceptionOfType(OutOfMemoryError.class)
        .isThrownBy(() -> new Leases(failing, SHORT).acquire(VM, "backup"));
    try (Lease next = leases().acquire(VM, "backup")) {
      assertThat(next.epoch()).isEqualTo(2);
    }
  }

  private static ObjectStore runningOutOfMemoryAfterAPut(ObjectStore store) {
    return (ObjectStore)
        Proxy.newProxyInstance(
            LeaseTest.class.getClassLoader(),
            new Class<?>[] {ObjectStore.class},
            (_, method, arguments) -> {
              try {
                Object answer = method.invoke(store, arguments);
                if (method.getName().equals("put")) {
                  throw new OutOfMemoryError();
                }
                return answer;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  @Test
  void a_lease_that_is_renewed_in_time_outlives_its_duration() throws Exception {
    try (Lease lease = leases().acquire(VM, "backup")) {
      Thread.sleep(1000);
      assertThat(leases().holder(VM)).isPresent();
      lease.check();
    }
  }

  @Test
  void a_writer_elsewhere_that_is_silent_for_the_whole_duration_is_followed() throws IOException {
    Lease.put(
        repository.store(), foreign(Duration.ofDays(300), Optional.empty()), Precondition.NONE);
    long start = System.nanoTime();
    try (Lease mine = leases().acquire(VM, "backup")) {
      assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(400_000_000L);
      assertThat(mine.epoch()).isEqualTo(6);
    }
  }

  @Test
  void a_writer_elsewhere_whose_clock_is_wrong_but_who_goes_on_renewing_is_left_alone()
      throws Exception {
    LeaseRecord theirs = foreign(Duration.ofDays(-300), Optional.empty());
    Lease.put(repository.store(), theirs, Precondition.NONE);
    AtomicBoolean stop = new AtomicBoolean();
    Thread renewing =
        Thread.ofVirtual()
            .start(() -> {
              LeaseRecord next = theirs;
              while (!stop.get()) {
                try {
                  Thread.sleep(100);
                  next = next.next(Instant.EPOCH, Optional.empty());
                  Lease.put(repository.store(), next, Precondition.NONE);
                } catch (Exception e) {
                  throw new IllegalStateException(e);
                }
              }
            });
    assertThatExceptionOfType(LeaseHeldException.class)
        .isThrownBy(() -> leases().acquire(VM, "backup"))
        .withMessageContaining("process 7 on there");
    stop.set(true);
    renewing.join();
  }

  @Test
  void the_point_a_dead_writer_was_making_can_not_appear_after_a_takeover() throws IOException {
    Lease.put(
        repository.store(),
        foreign(Duration.ofDays(1), Optional.of(Samples.P2)),
        Precondition.NONE);
    leases().acquire(VM, "backup").close();
    Manifest late =
        new Manifest(
            repository.descriptor().id(),
            VM,
            Samples.P2,
            Instant.EPOCH,
            Consistency.CRASH,
            java.util.Map.of(),
            false,
            "x",
            "y",
            java.util.List.of(Samples.disk(Samples.P2, Optional.empty())));
    assertThatExceptionOfType(PreconditionFailedException.class)
        .isThrownBy(() -> repository.commit(late));
    Catalogue catalogue = repository.catalogue(VM);
    assertThat(catalogue.points()).isEmpty();
    assertThat(catalogue.unreadable()).isEmpty();
    assertThat(catalogue.voided()).hasSize(1);
    assertThat(catalogue.newestId()).contains(Samples.P2);
  }

  @Test
  void a_point_that_was_committed_before_the_takeover_stays() throws IOException {
    Manifest point =
        new Manifest(
            repository.descriptor().id(),
            VM,
            Samples.P2,
            Instant.EPOCH,
            Consistency.CRASH,
            java.util.Map.of(),
            false,
            "x",
            "y",
            java.util.List.of(Samples.disk(Samples.P2, Optional.empty())));
    repository.commit(point);
    Lease.put(
        repository.store(),
        foreign(Duration.ofDays(1), Optional.of(Samples.P2)),
        Precondition.NONE);
    leases().acquire(VM, "backup").close();
    assertThat(repository.catalogue(VM).points()).containsExactly(point);
  }

  @Test
  void a_broken_lease_stops_its_owner() throws IOException {
    try (Lease first = leases().acquire(VM, "backup")) {
      assertThat(leases().breakLease(VM)).isPresent();
      assertThatExceptionOfType(LeaseLostException.class).isThrownBy(first::check);
      try (Lease second = leases().acquire(VM, "prune")) {
        assertThat(second.epoch()).isGreaterThan(first.epoch());
        second.check();
      }
      assertThatExceptionOfType(LeaseLostException.class).isThrownBy(first::check);
    }
  }

  @Test
  void a_damaged_lease_is_broken_by_force_only() throws IOException {
    repository
        .store()
        .put(Layout.lease(VM), java.nio.ByteBuffer.wrap(new byte[300]), Precondition.NONE);
    assertThatExceptionOfType(DamagedObjectException.class)
        .isThrownBy(() -> leases().acquire(VM, "backup"));
    leases().breakLease(VM);
    leases().acquire(VM, "backup").close();
  }
}
