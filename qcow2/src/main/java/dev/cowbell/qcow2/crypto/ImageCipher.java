package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.EncryptedImageException;
import dev.cowbell.qcow2.WrongPassphraseException;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;

/**
 * Encrypts and decrypts an image's uncompressed clusters; compressed ones are stored plain. For
 * concurrent use.
 */
public final class ImageCipher implements AutoCloseable {

  /** The unit of encryption: ranges start and end at its multiples. */
  public static final int SECTOR = SectorCipher.SECTOR;

  private final SectorCipher cipher;
  private final boolean byHostOffset;

  private ImageCipher(SectorCipher cipher, boolean byHostOffset) {
    this.cipher = cipher;
    this.byHostOffset = byHostOffset;
  }

  /**
   * The cipher of an image, if it is encrypted.
   *
   * @param file the image file itself, not its data file
   * @param passphrase stays open and the caller's
   * @throws CorruptImageException if there is a LUKS header without its being used, or the reverse
   * @throws EncryptedImageException if the image is encrypted and there is no passphrase
   * @throws WrongPassphraseException if it is not the image's; the legacy format can't tell
   */
  public static Optional<ImageCipher> open(
      HostFile file, ImageHead head, Optional<Passphrase> passphrase) throws IOException {
    CryptMethod method = head.header().cryptMethod();
    if (method != CryptMethod.LUKS
        && head.extension(HeaderExtension.FullDiskEncryption.class).isPresent()) {
      throw new CorruptImageException(
          "a header extension says where a LUKS header is and crypt_method is " + method);
    }
    if (method == CryptMethod.NONE) {
      return Optional.empty();
    }
    if (passphrase.isEmpty()) {
      throw new EncryptedImageException(
          "the image is encrypted (%s) and no passphrase was given"
              .formatted(method == CryptMethod.LUKS ? "LUKS" : "legacy AES"));
    }
    if (method == CryptMethod.AES) {
      return Optional.of(legacyAes(passphrase.get()));
    }
    try (MasterKey key = LuksArea.open(file, head).unlock(passphrase.get())) {
      return Optional.of(luks(key));
    }
  }

  /** The cipher of a LUKS image, which numbers sectors by their place in the host file. */
  public static ImageCipher luks(MasterKey key) {
    return new ImageCipher(key.newCipher(), true);
  }

  /**
   * The cipher of a legacy AES image, which numbers sectors by their place on the guest's disk. Its
   * key is the passphrase's first 16 bytes, padded with zeroes; a wrong one gives wrong data.
   */
  public static ImageCipher legacyAes(Passphrase passphrase) {
    byte[] key = Arrays.copyOf(passphrase.bytes(), CipherSpec.LEGACY_AES.keyLength());
    SectorCipher cipher = new SectorCipher(CipherSpec.LEGACY_AES, key);
    Arrays.fill(key, (byte) 0);
    return new ImageCipher(cipher, false);
  }

  /**
   * Decrypts, in place, everything between a buffer's position and its limit, which both stay.
   *
   * @param guestOffset where the bytes are on the guest's disk; a multiple of {@link #SECTOR}
   * @param hostOffset where they were read in the file that holds them; likewise
   * @param data whole sectors
   */
  public void decrypt(long guestOffset, long hostOffset, ByteBuffer data) {
    cipher.decrypt(sector(guestOffset, hostOffset), data);
  }

  /**
   * Encrypts, in place, everything between a buffer's position and its limit, which both stay.
   *
   * @param guestOffset where the bytes are on the guest's disk; a multiple of {@link #SECTOR}
   * @param hostOffset where they will be written in the file that holds them; likewise
   * @param data whole sectors
   */
  public void encrypt(long guestOffset, long hostOffset, ByteBuffer data) {
    cipher.encrypt(sector(guestOffset, hostOffset), data);
  }

  @Override
  public void close() {
    cipher.close();
  }

  private long sector(long guestOffset, long hostOffset) {
    if (((guestOffset | hostOffset) & (SECTOR - 1)) != 0) {
      throw new IllegalArgumentException(
          "guest offset %d or host offset %d is not at a sector"
              .formatted(guestOffset, hostOffset));
    }
    return (byHostOffset ? hostOffset : guestOffset) / SECTOR;
  }
}
