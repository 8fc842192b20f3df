package dev.cowbell.it.killed;

import dev.cowbell.it.killed.Fate.AtChange;
import dev.cowbell.it.killed.Fate.AtMoment;
import dev.cowbell.it.killed.Fate.AtOperation;
import dev.cowbell.it.killed.Fate.Manner;
import java.io.IOException;
import java.util.Optional;
import java.util.Queue;

/** One agent's time, until its fate meets it. From then on nothing of it has an effect. */
final class Life {

  /** What has an effect, or fails. */
  @FunctionalInterface
  interface Effect {
    void make() throws IOException;
  }

  private final String agent;
  private final Fate fate;
  private final Queue<Effect> late;
  private final int lateAt;
  private final Effect atDeath;
  private int operations;
  private int changes;
  private int occurrences;
  private String phase = "BEGUN";
  private Optional<String> death = Optional.empty();

  /**
   * Begins.
   *
   * @param late effects of dead agents that are still under way; this one's are added
   * @param lateAt at which operation of this agent they arrive
   * @param atDeath what is to be kept of the world as it is when the agent dies
   */
  Life(String agent, Fate fate, Queue<Effect> late, int lateAt, Effect atDeath) {
    this.agent = agent;
    this.fate = fate;
    this.late = late;
    this.lateAt = lateAt;
    this.atDeath = atDeath;
  }

  /** Where and how the agent died; empty while it lives. */
  synchronized Optional<String> death() {
    return death;
  }

  void reached(Enum<?> moment) {
    synchronized (this) {
      requireAlive();
      phase = moment.name();
      if (!(fate instanceof AtMoment(String wanted, int occurrence))
          || !wanted.equals(phase)
          || ++occurrences != occurrence) {
        return;
      }
    }
    die("", "at the moment");
  }

  synchronized void requireAlive() {
    if (death.isPresent()) {
      throw new Killed(death.get());
    }
  }

  /** What an operation of a store does to it. */
  enum Kind {
    LOOKS,
    CHANGES
  }

  /** Counts an operation and tells how it is to end, if not well. */
  Optional<Manner> operation(Kind kind) {
    boolean deliver;
    Optional<Manner> end;
    synchronized (this) {
      requireAlive();
      operations++;
      changes += kind == Kind.CHANGES ? 1 : 0;
      deliver = operations == lateAt;
      end =
          switch (fate) {
            case AtOperation(int operation, Manner manner) when operations == operation ->
                Optional.of(kind == Kind.CHANGES ? manner : Manner.BEFORE);
            case AtChange(int change, Manner manner)
                when changes == change && kind == Kind.CHANGES ->
                Optional.of(manner);
            default -> Optional.empty();
          };
    }
    if (deliver) {
      deliver(late);
    }
    return end;
  }

  /** Lets arrive what dead agents sent; that it is refused or its upload is gone is fine. */
  static void deliver(Queue<Effect> late) {
    for (Effect effect = late.poll(); effect != null; effect = late.poll()) {
      try {
        effect.make();
      } catch (IOException | IllegalStateException e) {
        // nobody is there to be told
      }
    }
  }

  void sendLate(Effect effect) {
    late.add(effect);
  }

  Killed die(String doing, String how) {
    synchronized (this) {
      requireAlive();
      death = Optional.of("%s | %s | %s | %s".formatted(agent, phase, doing, how));
    }
    try {
      atDeath.make();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    throw new Killed(death.get());
  }
}
