package dev.cowbell.agent.repository;

/**
 * The rule for the names of VMs and disks, which become part of object keys: 1 to 128 characters of
 * {@code [A-Za-z0-9._-]}, the first no dot.
 */
final class Names {

  private static final int MAX_LENGTH = 128;
  private static final int MAX_SHOWN = 40;

  private Names() {}

  /**
   * @param what "VM name" or the like, for the message
   * @throws IllegalArgumentException if {@code name} breaks the rule
   */
  static void check(String what, String name) {
    boolean good =
        !name.isEmpty()
            && name.length() <= MAX_LENGTH
            && name.charAt(0) != '.'
            && name.chars().allMatch(Names::isAllowed);
    if (!good) {
      throw new IllegalArgumentException(
          "not a %s: \"%s\" (1 to %d characters of A-Z a-z 0-9 . _ -, the first no dot)"
              .formatted(what, shown(name), MAX_LENGTH));
    }
  }

  private static boolean isAllowed(int c) {
    return (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9')
        || c == '.'
        || c == '_'
        || c == '-';
  }

  /** Untrusted text, safe and short enough for a message. */
  static String shown(String text) {
    String cut = text.length() > MAX_SHOWN ? text.substring(0, MAX_SHOWN) + "..." : text;
    return cut.replaceAll("[^\\x20-\\x7e]", "?");
  }
}
