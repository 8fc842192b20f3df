package dev.cowbell.it.fuzz;

import java.util.Arrays;

/**
 * What Jazzer calls. A system property names the target; without it the first byte of each input
 * does.
 */
public final class FuzzEntry {
  static final String TARGET = "cowbell.fuzz.target";

  private static final FuzzTarget[] TARGETS = FuzzTarget.values();
  private static final String CHOSEN = System.getProperty(TARGET, "");

  private FuzzEntry() {}

  /** Reads one input. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    if (!CHOSEN.isEmpty()) {
      FuzzTarget.valueOf(CHOSEN).run(input);
    } else if (input.length > 0) {
      TARGETS[(input[0] & 0xff) % TARGETS.length].run(Arrays.copyOfRange(input, 1, input.length));
    }
  }

  /** An input of one target as one for all of them. */
  static byte[] marked(FuzzTarget target, byte[] input) {
    byte[] marked = new byte[1 + input.length];
    marked[0] = (byte) Arrays.asList(TARGETS).indexOf(target);
    System.arraycopy(input, 0, marked, 1, input.length);
    return marked;
  }
}
