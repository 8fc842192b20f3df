package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import java.util.Arrays;
import java.util.stream.Collectors;

/** How the blocks of a sector are chained. */
public enum CipherMode {
  CBC("cbc", 1),
  /** Needs two keys of the cipher's length. */
  XTS("xts", 2),
  /** Equal blocks give equal ciphertext: read where it is found, never chosen. */
  ECB("ecb", 1),
  /** A second write of a sector gives both texts away: read where it is found, never chosen. */
  CTR("ctr", 1);

  private final String text;
  private final int keys;

  CipherMode(String text, int keys) {
    this.text = text;
    this.keys = keys;
  }

  /**
   * The mode of a name as QEMU and LUKS headers write it.
   *
   * @throws UnsupportedFeatureException if no such mode is known
   */
  public static CipherMode of(String text) throws UnsupportedFeatureException {
    return Arrays.stream(values())
        .filter(mode -> mode.text.equals(text))
        .findFirst()
        .orElseThrow(() -> Names.unsupported("cipher mode", text, known()));
  }

  private static String known() {
    return Arrays.stream(values()).map(mode -> mode.text).collect(Collectors.joining(", "));
  }

  /** The name as QEMU and LUKS headers write it. */
  public String text() {
    return text;
  }

  /** How many keys of the cipher's length make up the mode's key. */
  int keys() {
    return keys;
  }

  /** Whether new images may use it. */
  boolean fitForNewImages() {
    return this == XTS || this == CBC;
  }
}
