package dev.cowbell.agent.config;

import java.util.Collection;
import java.util.Locale;
import java.util.Optional;

/** Guesses what was meant, and shows untrusted text safely. */
final class Suggestion {

  private static final int MAX_SHOWN = 60;

  private Suggestion() {}

  /** How a hint begins. */
  static final String HINT = "; did you mean";

  /** The known word nearest to {@code found}, if one is near: a typo or two away. */
  static Optional<String> nearest(String found, Collection<String> known) {
    if (found.length() > MAX_SHOWN) {
      return Optional.empty();
    }
    String best = null;
    int least = Math.max(1, Math.min(3, found.length() / 3)) + 1;
    for (String word : known) {
      int distance = distance(found.toLowerCase(Locale.ROOT), word.toLowerCase(Locale.ROOT));
      if (distance < least) {
        least = distance;
        best = word;
      }
    }
    return Optional.ofNullable(best);
  }

  /** {@code "; did you mean …?"}, or nothing. */
  static String hint(String found, Collection<String> known) {
    return nearest(found, known).map(word -> HINT + " \"" + word + "\"?").orElse("");
  }

  /** How many letters must be changed, put in, left out or swapped with their neighbour. */
  private static int distance(String a, String b) {
    int[][] cost = new int[a.length() + 1][b.length() + 1];
    for (int i = 0; i <= a.length(); i++) {
      for (int j = 0; j <= b.length(); j++) {
        if (i == 0 || j == 0) {
          cost[i][j] = i + j;
          continue;
        }
        int change = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
        int least =
            Math.min(cost[i - 1][j - 1] + change, Math.min(cost[i - 1][j], cost[i][j - 1]) + 1);
        boolean swapped =
            i > 1
                && j > 1
                && a.charAt(i - 1) == b.charAt(j - 2)
                && a.charAt(i - 2) == b.charAt(j - 1);
        cost[i][j] = swapped ? Math.min(least, cost[i - 2][j - 2] + 1) : least;
      }
    }
    return cost[a.length()][b.length()];
  }

  static String quoted(String text) {
    return "\"" + shown(text) + "\"";
  }

  /** Cut, and without anything that could move a terminal's cursor. */
  static String shown(String text) {
    String cut = text.length() > MAX_SHOWN ? text.substring(0, MAX_SHOWN) + "..." : text;
    return cut.replaceAll("[^\\x20-\\x7e]", "?");
  }
}
