package dev.cowbell.qcow2.crypto;

import java.util.Optional;

/**
 * The passphrases for an image and what is below it. They stay the caller's to close, after the
 * image was opened.
 *
 * @param image opens the image itself
 * @param backing opens every encrypted image of its backing chain
 */
public record Passphrases(Optional<Passphrase> image, Optional<Passphrase> backing) {

  /** None: encrypted images are refused. */
  public static final Passphrases NONE = new Passphrases(Optional.empty(), Optional.empty());

  /** For an image whose backing chain is not encrypted. */
  public static Passphrases of(Passphrase image) {
    return new Passphrases(Optional.of(image), Optional.empty());
  }

  /**
   * The one for a layer.
   *
   * @param depth 0 for the image itself, 1 for its backing file
   */
  public Optional<Passphrase> forLayer(int depth) {
    return depth == 0 ? image : backing;
  }
}
