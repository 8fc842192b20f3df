package dev.cowbell.agent.verify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.AllowedWindows;
import dev.cowbell.agent.schedule.ForeseenRuns;
import dev.cowbell.agent.schedule.IntervalTiming;
import dev.cowbell.agent.schedule.JobName;
import dev.cowbell.agent.schedule.JobSpec;
import dev.cowbell.agent.schedule.MisfirePolicy;
import dev.cowbell.agent.schedule.RetryPolicy;
import dev.cowbell.storage.ObjectKey;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class RollingCoverTest {

  private static final Instant BEGIN = Instant.parse("2026-03-07T11:12:13Z");
  private static final int STRETCHES = 60;

  private static JobSpec every(Duration interval, Duration jitter) {
    return new JobSpec(
        new JobName("check"),
        List.of(new VmName("web")),
        new IntervalTiming(interval, ZoneOffset.UTC),
        jitter,
        MisfirePolicy.RUN_ONCE,
        new AllowedWindows(List.of(), ZoneOffset.UTC),
        RetryPolicy.DEFAULT,
        1);
  }

  private static ObjectKey key(int number) {
    return new ObjectKey("vms/web/disks/vda/" + number + ".qcow2");
  }

  @Test
  void reads_each_stretch_within_the_promised_time_whatever_the_schedule() {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    for (int round = 0; round < 40; round++) {
      Duration interval = Duration.ofMinutes(30 + random.nextInt(3 * 24 * 60));
      Duration within = interval.multipliedBy(3 + random.nextInt(20)).plusDays(1);
      Duration jitter = Duration.ofMinutes(random.nextInt(30));
      JobSpec job = every(interval, jitter);
      RollingCover cover = RollingCover.of(job, within).orElseThrow();
      Instant[] lastRead = new Instant[STRETCHES];
      java.util.Arrays.fill(lastRead, BEGIN);
      Optional<Instant> covered = Optional.empty();
      long runs = 3 * within.dividedBy(interval);
      for (Instant due : ForeseenRuns.of(job, BEGIN, (int) runs)) {
        Instant now = due.plusSeconds(random.nextInt((int) jitter.toSeconds() + 1));
        Sample sample = cover.sample(covered, now);
        for (int i = 0; i < STRETCHES; i++) {
          if (sample.includes(key(i % 7), (long) i << 22)) {
            lastRead[i] = now;
          }
          assertThat(Duration.between(lastRead[i], now))
              .as("seed %d, round %d, stretch %d", seed, round, i)
              .isLessThanOrEqualTo(within);
        }
        covered = Optional.of(now);
      }
    }
  }

  @Test
  void makes_up_for_missed_runs_with_the_next_one() {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    Duration within = Duration.ofDays(30);
    RollingCover cover =
        RollingCover.of(every(Duration.ofDays(1), Duration.ZERO), within).orElseThrow();
    Instant now = BEGIN;
    Optional<Instant> covered = Optional.of(BEGIN);
    Instant[] lastRead = new Instant[STRETCHES];
    java.util.Arrays.fill(lastRead, BEGIN);
    for (int run = 0; run < 300; run++) {
      Duration missed = Duration.ofDays(random.nextInt(4) == 0 ? random.nextInt(60) : 0);
      now = now.plus(Duration.ofDays(1)).plus(missed);
      Sample sample = cover.sample(covered, now);
      for (int i = 0; i < STRETCHES; i++) {
        if (sample.includes(key(i), 0)) {
          lastRead[i] = now;
        }
        assertThat(Duration.between(lastRead[i], now))
            .as("seed %d, run %d, after %s without runs", seed, run, missed)
            .isLessThanOrEqualTo(within);
      }
      covered = Optional.of(now);
    }
  }

  @Test
  void reads_only_a_share_in_each_run() {
    RollingCover cover =
        RollingCover.of(every(Duration.ofDays(1), Duration.ZERO), Duration.ofDays(30))
            .orElseThrow();
    Sample sample = cover.sample(Optional.of(BEGIN), BEGIN.plus(Duration.ofDays(1)));
    int read = 0;
    for (int i = 0; i < 10_000; i++) {
      read += sample.includes(key(1), (long) i << 22) ? 1 : 0;
    }
    assertThat(read).isBetween(250, 500);
    assertThat(sample.isWhole()).isFalse();
  }

  @Test
  void reads_everything_after_a_whole_period_without_runs() {
    RollingCover cover =
        RollingCover.of(every(Duration.ofDays(1), Duration.ZERO), Duration.ofDays(30))
            .orElseThrow();
    assertThat(cover.sample(Optional.of(BEGIN), BEGIN.plus(Duration.ofDays(30))).isWhole())
        .isTrue();
  }

  @Test
  void refuses_a_schedule_that_comes_too_seldom() {
    assertThat(RollingCover.of(every(Duration.ofDays(20), Duration.ZERO), Duration.ofDays(30)))
        .isEmpty();
  }
}
