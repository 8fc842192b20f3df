package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.UnsupportedFeatureException;
import java.util.Map;
import java.util.Optional;

/**
 * How a new image is encrypted.
 *
 * @param cipher {@code xts} or {@code cbc}
 * @param hash what PBKDF2 and the splitter use
 * @param time what trying a passphrase is to cost
 */
public record LuksOptions(CipherSpec cipher, HashAlgorithm hash, IterationTime time) {

  public LuksOptions {
    if (!cipher.mode().fitForNewImages()) {
      throw new IllegalArgumentException(
          "cipher mode %s is not safe for disks, allowed are xts and cbc"
              .formatted(cipher.mode().text()));
    }
  }

  /** What QEMU uses when nothing is said: aes-256, xts, plain64, sha256, 2 seconds. */
  public static LuksOptions defaults() {
    CipherSpec cipher =
        new CipherSpec(
            CipherAlgorithm.AES_256, CipherMode.XTS, IvGenerator.PLAIN64, Optional.empty());
    return new LuksOptions(cipher, HashAlgorithm.SHA256, IterationTime.DEFAULT);
  }

  /**
   * The meaning of qemu-img's {@code -o encrypt.…} options.
   *
   * @param options {@code cipher-alg}, {@code cipher-mode}, {@code ivgen-alg}, {@code
   *     ivgen-hash-alg}, {@code hash-alg} and {@code iter-time} in milliseconds, without the prefix
   *     {@code encrypt.}; what is left out is as in {@link #defaults()}
   * @throws UnsupportedFeatureException if a value, or the combination, is not known here
   * @throws IllegalArgumentException if there is another option, or a value out of its bounds
   */
  public static LuksOptions parse(Map<String, String> options) throws UnsupportedFeatureException {
    CipherAlgorithm algorithm = CipherAlgorithm.AES_256;
    CipherMode mode = CipherMode.XTS;
    IvGenerator generator = IvGenerator.PLAIN64;
    HashAlgorithm ivHash = HashAlgorithm.SHA256;
    HashAlgorithm hash = HashAlgorithm.SHA256;
    IterationTime time = IterationTime.DEFAULT;
    for (Map.Entry<String, String> option : options.entrySet()) {
      String value = option.getValue();
      switch (option.getKey()) {
        case "cipher-alg" -> algorithm = CipherAlgorithm.of(value);
        case "cipher-mode" -> mode = CipherMode.of(value);
        case "ivgen-alg" -> generator = IvGenerator.of(value);
        case "ivgen-hash-alg" -> ivHash = HashAlgorithm.of(value);
        case "hash-alg" -> hash = HashAlgorithm.of(value);
        case "iter-time" -> time = parseTime(value);
        default ->
            throw new IllegalArgumentException(
                "unknown option encrypt." + option.getKey() + " for a LUKS image");
      }
    }
    return new LuksOptions(
        CipherSpec.of(algorithm, mode, generator, Optional.of(ivHash)), hash, time);
  }

  private static IterationTime parseTime(String value) {
    try {
      return IterationTime.ofMillis(Long.parseLong(value));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "encrypt.iter-time is '%s', allowed is a number of milliseconds".formatted(value), e);
    }
  }
}
