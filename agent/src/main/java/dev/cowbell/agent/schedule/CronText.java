package dev.cowbell.agent.schedule;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cron expressions as users write them. The two habits differ: crontab(5) has five fields and
 * counts Sunday as 0 or 7; Quartz has seconds before and perhaps a year behind, counts Sunday as 1,
 * and wants a {@code ?} for whichever day field says nothing.
 */
final class CronText {

  private static final int MAX_LENGTH = 200;

  private static final Map<String, String> NICKNAMES =
      Map.of(
          "@hourly", "0 * * * *",
          "@daily", "0 0 * * *",
          "@midnight", "0 0 * * *",
          "@weekly", "0 0 * * 0",
          "@monthly", "0 0 1 * *",
          "@yearly", "0 0 1 1 *",
          "@annually", "0 0 1 1 *");

  private static final List<String> DAYS =
      List.of("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN");
  private static final List<String> MONTHS =
      List.of("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC");

  private static final Pattern WORD = Pattern.compile("[A-Za-z]+");

  /** One element of a crontab day-of-week list: a day or a range of days, perhaps with a step. */
  private static final Pattern WEEKDAYS = Pattern.compile("(\\w+)(?:-(\\w+))?(?:/([1-7]))?");

  private CronText() {}

  /**
   * The expression in Quartz's form.
   *
   * @throws IllegalArgumentException saying what is wrong; the fields' ranges are left to Quartz
   */
  static String toQuartz(String expression) {
    String text = expression.strip();
    if (text.length() > MAX_LENGTH) {
      throw new IllegalArgumentException("must be at most " + MAX_LENGTH + " characters");
    }
    if (text.startsWith("@")) {
      String known = NICKNAMES.get(text.toLowerCase(Locale.ROOT));
      if (known == null) {
        throw new IllegalArgumentException(
            "must be @hourly, @daily, @weekly, @monthly or @yearly when it begins with @");
      }
      text = known;
    }
    String[] fields = text.split("\\s+", -1);
    return switch (fields.length) {
      case 5 -> fromCrontab(fields);
      case 6, 7 -> checkedQuartz(fields);
      default ->
          throw new IllegalArgumentException(
              "must have 5 fields (minute hour day month weekday), or 6 or 7 as Quartz has them"
                  + " (second first), found "
                  + (text.isEmpty() ? 0 : fields.length));
    };
  }

  private static String fromCrontab(String[] fields) {
    checkWords("month", fields[3], MONTHS);
    boolean anyDay = fields[2].equals("*");
    boolean anyWeekday = fields[4].equals("*");
    if (!anyDay && !anyWeekday) {
      throw new IllegalArgumentException(
          "cannot restrict both day of month and weekday: make one of them *, or use two jobs");
    }
    return String.join(
        " ",
        "0",
        fields[0],
        fields[1],
        anyDay && !anyWeekday ? "?" : fields[2],
        fields[3],
        anyWeekday ? "?" : weekdays(fields[4]));
  }

  /** A crontab weekday list spelled out in Quartz's names. */
  private static String weekdays(String field) {
    boolean[] chosen = new boolean[7];
    for (String element : field.split(",", -1)) {
      String range = element.startsWith("*/") ? "0-6" + element.substring(1) : element;
      Matcher parts = WEEKDAYS.matcher(range);
      if (!parts.matches()) {
        throw noWeekday(element);
      }
      int first = weekday(parts.group(1), element);
      int last = parts.group(2) == null ? first : weekday(parts.group(2), element);
      int step = parts.group(3) == null ? 1 : Integer.parseInt(parts.group(3));
      if (last < first) {
        last += 7;
      }
      for (int day = first; day <= last; day += step) {
        chosen[day % 7] = true;
      }
    }
    return java.util.stream.IntStream.range(0, 7)
        .filter(day -> chosen[day])
        .mapToObj(DAYS::get)
        .collect(java.util.stream.Collectors.joining(","));
  }

  private static int weekday(String text, String element) {
    if (text.length() == 1 && text.charAt(0) >= '0' && text.charAt(0) <= '7') {
      return text.charAt(0) - '0';
    }
    int index = DAYS.indexOf(text.toUpperCase(Locale.ROOT));
    if (index < 0) {
      throw noWeekday(element);
    }
    return index;
  }

  private static IllegalArgumentException noWeekday(String element) {
    return new IllegalArgumentException(
        "weekday must be 0 to 7 (0 and 7 are Sunday) or SUN to SAT, found " + element);
  }

  private static String checkedQuartz(String[] fields) {
    checkWords("month", fields[4], MONTHS);
    checkWords("weekday", fields[5], DAYS);
    return String.join(" ", fields);
  }

  /** Quartz reads only the first three letters of a name, so that a typo would go unnoticed. */
  private static void checkWords(String what, String field, List<String> names) {
    List<String> letters = Arrays.asList("L", "W", "LW");
    Matcher words = WORD.matcher(field);
    while (words.find()) {
      String word = words.group().toUpperCase(Locale.ROOT);
      boolean last = word.endsWith("L") && names.contains(word.substring(0, word.length() - 1));
      if (!names.contains(word) && !letters.contains(word) && !last) {
        throw new IllegalArgumentException(
            what + " must be one of " + String.join(" ", names) + ", found " + words.group());
      }
    }
  }
}
