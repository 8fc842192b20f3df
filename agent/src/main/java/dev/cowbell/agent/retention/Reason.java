package dev.cowbell.agent.retention;

import java.time.Instant;
import java.util.Locale;

/** Why a point stays or goes; prints as a few words. */
public sealed interface Reason {

  /** A reason to keep a point: one suffices. */
  sealed interface Keep extends Reason {}

  /** What a rule says of a point that it does not keep. */
  sealed interface Drop extends Reason {}

  /** No rule was given at all. */
  record NoRules() implements Keep {
    @Override
    public String toString() {
      return "no rule given";
    }
  }

  record Pinned() implements Keep {
    @Override
    public String toString() {
      return "pinned";
    }
  }

  record Labelled(LabelSelector selector) implements Keep {
    @Override
    public String toString() {
      return "label " + selector;
    }
  }

  /** One of the newest. {@code rank} counts good points from 1, the newest. */
  record Last(int rank, int of) implements Keep {
    @Override
    public String toString() {
      return "last " + rank + " of " + of;
    }
  }

  /** The newest good point of its period. {@code rank} counts periods from 1, the newest. */
  record NewestOf(CalendarPeriod period, String bucket, int rank, int of) implements Keep {
    @Override
    public String toString() {
      return period.word() + " " + rank + " of " + of + " (" + bucket + ")";
    }
  }

  /** Damaged, but there is nothing better for that time; takes no place from a good point. */
  record NothingBetter(String rule) implements Keep {
    @Override
    public String toString() {
      return "damaged, but nothing better for " + rule;
    }
  }

  record Within(CalendarSpan span, Instant since) implements Keep {
    @Override
    public String toString() {
      return "within " + span + " (since " + since + ")";
    }
  }

  /** One of the newest good points, of which {@code minimum} stay whatever the rules say. */
  record Minimum(int minimum) implements Keep {
    @Override
    public String toString() {
      return minimum == 1 ? "the last good point" : "minimum of " + minimum;
    }
  }

  /**
   * Its time has not come yet, so a clock was wrong; such points are neither judged nor counted.
   */
  record InTheFuture(Instant now) implements Keep {
    @Override
    public String toString() {
      return "lies in the future of " + now + ": was a clock wrong?";
    }
  }

  /** Only time that perhaps never passed has made it too old. */
  record BeforeClockLeap(Instant from, Instant to) implements Keep {
    @Override
    public String toString() {
      return "the clock may have leapt from " + from + " to " + to;
    }
  }

  record BeyondLast(int of) implements Drop {
    @Override
    public String toString() {
      return "not among the last " + of;
    }
  }

  /** Another point of the same period stands for it. */
  record Superseded(CalendarPeriod period, String bucket, String by) implements Drop {
    @Override
    public String toString() {
      return period.word() + ": " + by + " stands for " + bucket;
    }
  }

  record BeyondPeriods(CalendarPeriod period, String bucket, int of) implements Drop {
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT, "%s: %s is not among the newest %d", period.word(), bucket, of);
    }
  }

  record TooOld(CalendarSpan span, Instant since) implements Drop {
    @Override
    public String toString() {
      return "not within " + span + " (since " + since + ")";
    }
  }

  record NotLabelled() implements Drop {
    @Override
    public String toString() {
      return "no label that keeps it";
    }
  }
}
