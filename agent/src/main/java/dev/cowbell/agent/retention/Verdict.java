package dev.cowbell.agent.retention;

import java.util.List;
import java.util.stream.Collectors;

/** What becomes of one point, with every reason. */
public sealed interface Verdict {

  RetentionPoint point();

  List<? extends Reason> reasons();

  /** The point stays, for at least one reason. */
  record Keep(RetentionPoint point, List<Reason.Keep> reasons) implements Verdict {
    public Keep {
      reasons = List.copyOf(reasons);
    }

    @Override
    public String toString() {
      return "keep   " + described(this);
    }
  }

  /** No rule keeps the point. */
  record Remove(RetentionPoint point, List<Reason.Drop> reasons) implements Verdict {
    public Remove {
      reasons = List.copyOf(reasons);
    }

    @Override
    public String toString() {
      return "remove " + described(this);
    }
  }

  private static String described(Verdict verdict) {
    return verdict.point().id()
        + "  "
        + verdict.point().time()
        + "  "
        + verdict.reasons().stream().map(Object::toString).collect(Collectors.joining("; "));
  }
}
