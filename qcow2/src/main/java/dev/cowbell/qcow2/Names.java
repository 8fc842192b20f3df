package dev.cowbell.qcow2;

/** Names out of images, made fit for a message of one line. */
final class Names {
  private static final int MAX_SHOWN = 200;

  private Names() {}

  static String quoted(String name) {
    String shown = name.length() > MAX_SHOWN ? name.substring(0, MAX_SHOWN) + "…" : name;
    return "'" + shown.replaceAll("\\p{C}", "?") + "'";
  }
}
