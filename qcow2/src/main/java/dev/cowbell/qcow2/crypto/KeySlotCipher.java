package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.format.Bytes;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Optional;

/**
 * Turns a master key into a slot's key material and back (LUKS 1 on-disk format, "Key slot
 * operations"). Pure; the header says how.
 */
final class KeySlotCipher {
  private final CipherSpec cipher;
  private final HashAlgorithm hash;

  KeySlotCipher(CipherSpec cipher, HashAlgorithm hash) {
    this.cipher = cipher;
    this.hash = hash;
  }

  /** The key material for a slot: encrypted under a key derived from the passphrase. */
  byte[] lock(MasterKey key, Passphrase passphrase, KeySlot slot, SecureRandom random) {
    byte[] material = new AntiForensicSplitter(hash).split(key.bytes(), random);
    try (SectorCipher slotCipher = slotCipher(passphrase, slot)) {
      slotCipher.encrypt(0, ByteBuffer.wrap(material));
    }
    return material;
  }

  /**
   * What a passphrase makes of a slot's key material: the master key or, with another passphrase,
   * noise.
   *
   * @param material is overwritten
   */
  byte[] unlock(byte[] material, Passphrase passphrase, KeySlot slot) {
    try (SectorCipher slotCipher = slotCipher(passphrase, slot)) {
      slotCipher.decrypt(0, ByteBuffer.wrap(material));
    }
    byte[] key = new AntiForensicSplitter(hash).merge(material);
    Arrays.fill(material, (byte) 0);
    return key;
  }

  /** The digest that a master key is told by. */
  Bytes digest(byte[] key, Bytes salt, long iterations) {
    return Bytes.copyOf(
        Pbkdf2.derive(hash, key, salt.toArray(), iterations, LuksHeader.DIGEST_LENGTH));
  }

  /** The master key, if that is what these bytes are; otherwise they are overwritten. */
  Optional<MasterKey> verify(byte[] key, LuksHeader header) {
    Bytes found = digest(key, header.digestSalt(), header.digestIterations());
    if (MessageDigest.isEqual(found.toArray(), header.digest().toArray())) {
      return Optional.of(MasterKey.adopt(cipher, key));
    }
    Arrays.fill(key, (byte) 0);
    return Optional.empty();
  }

  /** The rounds of HMAC that trying a slot takes. */
  long rounds(KeySlot slot, long digestIterations) {
    return slot.iterations() * Pbkdf2.roundsPerIteration(hash, cipher.keyLength())
        + digestIterations * Pbkdf2.roundsPerIteration(hash, LuksHeader.DIGEST_LENGTH);
  }

  private SectorCipher slotCipher(Passphrase passphrase, KeySlot slot) {
    byte[] key =
        Pbkdf2.derive(
            hash, passphrase.bytes(), slot.salt().toArray(), slot.iterations(), cipher.keyLength());
    SectorCipher slotCipher = new SectorCipher(cipher, key);
    Arrays.fill(key, (byte) 0);
    return slotCipher;
  }
}
