package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import java.util.Optional;

/**
 * Everything that is needed beside the key to turn sectors into ciphertext and back.
 *
 * @param algorithm the block cipher
 * @param mode how the blocks of a sector are chained
 * @param ivGenerator how a sector's number becomes its IV
 * @param ivHash the hash for {@link IvGenerator#ESSIV}, with which it is there; its digest is as
 *     long as a key of AES
 */
public record CipherSpec(
    CipherAlgorithm algorithm,
    CipherMode mode,
    IvGenerator ivGenerator,
    Optional<HashAlgorithm> ivHash) {

  /** What QEMU's legacy format uses (specification: "Header", crypt_method 1). */
  static final CipherSpec LEGACY_AES =
      new CipherSpec(
          CipherAlgorithm.AES_128, CipherMode.CBC, IvGenerator.PLAIN64, Optional.empty());

  public CipherSpec {
    if (ivHash.isPresent() != (ivGenerator == IvGenerator.ESSIV)) {
      throw new IllegalArgumentException("essiv and only essiv has a hash, not " + ivGenerator);
    }
  }

  /**
   * A combination that the formats allow.
   *
   * @param ivHash ignored unless the generator is essiv, as QEMU does
   * @throws UnsupportedFeatureException if QEMU could not use the combination either
   */
  public static CipherSpec of(
      CipherAlgorithm algorithm,
      CipherMode mode,
      IvGenerator ivGenerator,
      Optional<HashAlgorithm> ivHash)
      throws UnsupportedFeatureException {
    CipherSpec spec =
        new CipherSpec(
            algorithm,
            mode,
            ivGenerator,
            ivGenerator == IvGenerator.ESSIV ? ivHash : Optional.empty());
    spec.check();
    return spec;
  }

  /**
   * The meaning of a LUKS header's fields.
   *
   * @param cipherName the cipher without its key's length: {@code aes}
   * @param cipherMode mode, generator and hash: {@code xts-plain64}, {@code cbc-essiv:sha256}
   * @param keyLength the bytes of the master key
   * @throws UnsupportedFeatureException if something in it is unknown here
   */
  static CipherSpec decode(String cipherName, String cipherMode, long keyLength)
      throws UnsupportedFeatureException {
    if (!cipherName.equals(CipherAlgorithm.FAMILY)) {
      throw Names.unsupported("cipher", cipherName, CipherAlgorithm.FAMILY);
    }
    int dash = cipherMode.indexOf('-');
    if (dash < 0) {
      throw Names.unsupported("cipher mode", cipherMode, "<mode>-<IV generator>[:<hash>]");
    }
    CipherMode mode = CipherMode.of(cipherMode.substring(0, dash));
    String iv = cipherMode.substring(dash + 1);
    int colon = iv.indexOf(':');
    IvGenerator generator = IvGenerator.of(colon < 0 ? iv : iv.substring(0, colon));
    Optional<HashAlgorithm> hash = Optional.empty();
    if (generator == IvGenerator.ESSIV) {
      hash = Optional.of(HashAlgorithm.of(colon < 0 ? "" : iv.substring(colon + 1)));
    }
    CipherAlgorithm algorithm =
        Optional.of(keyLength)
            .filter(length -> length % mode.keys() == 0)
            .flatMap(length -> CipherAlgorithm.ofKeyLength(length / mode.keys()))
            .orElseThrow(() -> wrongKeyLength(mode, keyLength));
    return of(algorithm, mode, generator, hash);
  }

  /** The bytes of the key that data is encrypted under. */
  public int keyLength() {
    return algorithm.keyLength() * mode.keys();
  }

  /** The mode as a LUKS header has it: {@code xts-plain64}, {@code cbc-essiv:sha256}. */
  String modeText() {
    return mode.text()
        + "-"
        + ivGenerator.text()
        + ivHash.map(hash -> ":" + hash.text()).orElse("");
  }

  @Override
  public String toString() {
    return algorithm.text() + "-" + modeText();
  }

  private void check() throws UnsupportedFeatureException {
    if (ivGenerator == IvGenerator.ESSIV) {
      HashAlgorithm hash = ivHash.orElseThrow(() -> Names.unsupported("IV hash", "", "sha256"));
      if (CipherAlgorithm.ofKeyLength(hash.digestLength()).isEmpty()) {
        throw Names.unsupported("IV hash", hash.text(), "hashes as long as an AES key: sha256");
      }
    }
    if (keyLength() * AntiForensicSplitter.STRIPES % SectorCipher.SECTOR != 0) {
      // QEMU aborts on such key material.
      throw Names.unsupported("cipher", toString(), "for " + algorithm.text() + " xts modes");
    }
  }

  private static UnsupportedFeatureException wrongKeyLength(CipherMode mode, long found) {
    int keys = mode.keys();
    return new UnsupportedFeatureException(
        "the LUKS header's key has %d bytes, allowed are %d, %d and %d for aes in %s mode"
            .formatted(found, 16 * keys, 24 * keys, 32 * keys, mode.text()));
  }
}
