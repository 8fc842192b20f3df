package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import java.util.Arrays;
import java.util.stream.Collectors;

/** How a sector's number becomes its initialisation vector. */
public enum IvGenerator {
  /** The low 32 bits of the number, little-endian. */
  PLAIN("plain"),
  /** All 64 bits of the number, little-endian. */
  PLAIN64("plain64"),
  /** As {@link #PLAIN64}, then encrypted under a hash of the key. */
  ESSIV("essiv");

  private final String text;

  IvGenerator(String text) {
    this.text = text;
  }

  /**
   * The generator of a name as QEMU and LUKS headers write it.
   *
   * @throws UnsupportedFeatureException if no such generator is known
   */
  public static IvGenerator of(String text) throws UnsupportedFeatureException {
    return Arrays.stream(values())
        .filter(generator -> generator.text.equals(text))
        .findFirst()
        .orElseThrow(() -> Names.unsupported("IV generator", text, known()));
  }

  private static String known() {
    return Arrays.stream(values()).map(iv -> iv.text).collect(Collectors.joining(", "));
  }

  /** The name as QEMU and LUKS headers write it. */
  public String text() {
    return text;
  }
}
