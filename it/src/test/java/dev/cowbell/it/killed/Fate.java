package dev.cowbell.it.killed;

import java.util.Random;

/** When and how an agent dies. */
sealed interface Fate {

  /** It lives. */
  record Lives() implements Fate {}

  /**
   * At an operation of its store.
   *
   * @param operation which one, from 1
   */
  record AtOperation(int operation, Manner manner) implements Fate {}

  /**
   * At an operation that changes something in its store.
   *
   * @param change which one, from 1
   */
  record AtChange(int change, Manner manner) implements Fate {}

  /**
   * At a moment.
   *
   * @param moment the moment's name
   * @param occurrence which one, from 1
   */
  record AtMoment(String moment, int occurrence) implements Fate {}

  /** What becomes of the operation under way. */
  enum Manner {
    /** Nothing. */
    BEFORE,
    /** It is done, and nobody is told. */
    UNANSWERED,
    /** It is done while the next agent is at work already. */
    LATE,
    /** Half of it is done, where it has halves; else nothing. */
    TORN
  }

  /**
   * A fate by chance.
   *
   * @param operations about how many operations such an agent makes; a third of them are changes
   * @param moments the moments that it may die at
   */
  static Fate random(Random random, int operations, Enum<?>[] moments) {
    return switch (random.nextInt(8)) {
      case 0 -> new Lives();
      case 1, 2 ->
          new AtMoment(moments[random.nextInt(moments.length)].name(), 1 + random.nextInt(2));
      case 3, 4 -> new AtOperation(1 + random.nextInt(operations), manner(random));
      default -> new AtChange(1 + random.nextInt(operations / 3), manner(random));
    };
  }

  private static Manner manner(Random random) {
    return Manner.values()[random.nextInt(Manner.values().length)];
  }
}
