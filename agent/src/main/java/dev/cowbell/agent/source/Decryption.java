package dev.cowbell.agent.source;

import dev.cowbell.qcow2.crypto.Passphrases;

/**
 * What a backup may do with encrypted images. Their ciphertext can't be moved to another place, so
 * what a backup stores of them is plain.
 *
 * @param passphrases open the images and the files below them; the caller's to close
 * @param storage whether plain data of an encrypted image may be stored
 */
public record Decryption(Passphrases passphrases, Storage storage) {

  /** Whether plain data of an encrypted image may be stored. */
  public enum Storage {
    REFUSED,
    ACCEPTED
  }

  /** Encrypted images are refused. */
  public static final Decryption NONE = new Decryption(Passphrases.NONE, Storage.REFUSED);
}
