package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What {@code -o help} says: the options, with what they mean, allow and default to. */
enum OptionHelp {
  NEW_QCOW2(
      """
      Supported qcow2 options:
        backing_file=<str>     - File name of a base image
        backing_fmt=<str>      - Image format of the base image
        cluster_size=<size>    - Cluster size: a power of two, 512 to 2M (default: 64k)
        compat=<str>           - Compatibility level: 0.10 or v2, 1.1 or v3 (default: 1.1)
        compression_type=<str> - Compression method: zlib, zstd (default: zlib)
        data_file=<str>        - File name of an external data file
        data_file_raw=<bool (on/off)> - The external data file must stay valid as a raw image (default: off)
        encrypt.cipher-alg=<str> - Cipher: aes-128, aes-192, aes-256 (default: aes-256)
        encrypt.cipher-mode=<str> - Cipher mode: cbc, xts, ecb, ctr (default: xts)
        encrypt.format=<str>   - Encrypt the image: luks (default: not encrypted)
        encrypt.hash-alg=<str> - Hash: md5, sha1, sha224, sha256, sha384, sha512 (default: sha256)
        encrypt.iter-time=<num> - Time to spend in PBKDF in milliseconds (default: 2000)
        encrypt.ivgen-alg=<str> - IV generator: plain, plain64, essiv (default: plain64)
        encrypt.ivgen-hash-alg=<str> - Hash of essiv (default: sha256)
        extended_l2=<bool (on/off)> - Extended L2 tables; clusters of 16k and more (default: off)
        lazy_refcounts=<bool (on/off)> - Postpone refcount updates (default: off)
        nocow=<bool (on/off)>  - Accepted as in qemu-img; changes nothing
        preallocation=<str>    - Preallocation mode: off, metadata, falloc, full (default: off)
        refcount_bits=<num>    - Width of a refcount in bits: 1, 2, 4, 8, 16, 32, 64 (default: 16)
        size=<size>            - Virtual disk size
      """),

  NEW_RAW(
      """
      Supported raw options:
        extent_size_hint=<size> - Accepted as in qemu-img; changes nothing
        nocow=<bool (on/off)>  - Accepted as in qemu-img; changes nothing
        preallocation=<str>    - Preallocation mode: off, falloc, full (default: off)
        size=<size>            - Virtual disk size
      """),

  AMENDED_QCOW2(
      """
      Amend options for 'qcow2':
        compat=<str>           - Compatibility level: 0.10 or v2, 1.1 or v3
        encrypt.iter-time=<num> - Time to spend in PBKDF in milliseconds
        encrypt.keyslot=<num>  - The key slot to change: 0 to 7
        encrypt.new-secret-file=<str> - File with the passphrase to add
        encrypt.old-secret-file=<str> - File with the passphrase to erase
        encrypt.state=<str>    - New state of the key slots: active, inactive
        lazy_refcounts=<bool (on/off)> - Postpone refcount updates
        refcount_bits=<num>    - Width of a refcount in bits: 1, 2, 4, 8, 16, 32, 64
      """);

  private final String text;

  OptionHelp(String text) {
    this.text = text;
  }

  /** What can be said of a new image. */
  static OptionHelp ofNew(String format) throws CommandFailedException {
    return switch (format) {
      case "qcow2" -> NEW_QCOW2;
      case "raw" -> NEW_RAW;
      default -> throw OpenRules.unknownFormat(format);
    };
  }

  /** Whether help is wanted rather than an image, as qemu-img understands it. */
  static boolean isWanted(List<String> lists) {
    return lists.stream()
        .flatMap(list -> CreateOptions.split(list).stream())
        .anyMatch(option -> option.equals("help") || option.equals("?"));
  }

  /** Refuses to go on without a file, which need not be named where help is wanted. */
  static void requireFile(@Nullable Path file, String name) throws CommandFailedException {
    if (file == null) {
      throw CommandFailedException.usage("Missing required parameter: '" + name + "'");
    }
  }

  void print(PrintStream out) {
    out.print(text);
  }
}
