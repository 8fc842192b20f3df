package dev.cowbell.agent.cli;

/** Text that may hold anything, made fit to be shown in one line of a terminal. */
final class OneLine {

  private static final int MAX_LENGTH = 2000;

  private OneLine() {}

  /** {@code text} without line breaks and other control characters, cut when it is very long. */
  static String of(String text) {
    String cut = text.length() > MAX_LENGTH ? text.substring(0, MAX_LENGTH) + "..." : text;
    StringBuilder line = new StringBuilder(cut.length());
    cut.strip()
        .codePoints()
        .forEach(c -> {
          if (c == '\n' || c == '\r' || c == '\t') {
            line.append(' ');
          } else if (isUnprintable(c)) {
            line.append('?');
          } else {
            line.appendCodePoint(c);
          }
        });
    return line.toString();
  }

  private static boolean isUnprintable(int c) {
    int type = Character.getType(c);
    return type == Character.CONTROL
        || type == Character.FORMAT
        || type == Character.SURROGATE
        || type == Character.LINE_SEPARATOR
        || type == Character.PARAGRAPH_SEPARATOR;
  }
}
