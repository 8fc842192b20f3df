package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.build.Preallocation;
import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.RefcountWidth;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/** The {@code -o key=value,…} of a new qcow2 image, in qemu-img's words. */
final class CreateOptions {
  private static final int DEFAULT_CLUSTER_SIZE = 65536;

  private static final Set<String> RAW =
      Set.of("size", "preallocation", "nocow", "extent_size_hint");

  private int version = 3;
  private int clusterBits = Integer.numberOfTrailingZeros(DEFAULT_CLUSTER_SIZE);
  private RefcountWidth refcountWidth = RefcountWidth.DEFAULT;
  private boolean extendedL2;
  private boolean lazyRefcounts;
  private CompressionType compressionType = CompressionType.ZLIB;
  private Optional<String> backingFile = Optional.empty();
  private Optional<String> backingFormat = Optional.empty();
  private final EncryptOptions encryption = new EncryptOptions();

  private Optional<String> dataFile = Optional.empty();
  private boolean dataFileRaw;
  private Preallocation preallocation = Preallocation.OFF;
  private OptionalLong size = OptionalLong.empty();

  /** The options of which a raw image knows nothing. */
  private final List<String> onlyQcow2 = new ArrayList<>();

  private CreateOptions() {}

  /**
   * Reads options.
   *
   * @param lists each a list of {@code key=value} joined by commas; a comma in a value is doubled
   */
  static CreateOptions parse(List<String> lists) throws CommandFailedException {
    CreateOptions options = new CreateOptions();
    for (String list : lists) {
      for (String option : split(list)) {
        int equals = option.indexOf('=');
        String key = equals < 0 ? option : option.substring(0, equals);
        options.set(key, equals < 0 ? "on" : option.substring(equals + 1));
      }
    }
    return options;
  }

  /** The options of one list; a comma in a value is doubled. */
  static List<String> split(String list) {
    List<String> parts = new ArrayList<>();
    StringBuilder part = new StringBuilder();
    for (int i = 0; i < list.length(); i++) {
      char c = list.charAt(i);
      if (c != ',') {
        part.append(c);
      } else if (i + 1 < list.length() && list.charAt(i + 1) == ',') {
        part.append(c);
        i++;
      } else {
        parts.add(part.toString());
        part.setLength(0);
      }
    }
    parts.add(part.toString());
    parts.removeIf(String::isEmpty);
    return parts;
  }

  private void set(String key, String value) throws CommandFailedException {
    if (!RAW.contains(key)) {
      onlyQcow2.add(key);
    }
    switch (key) {
      case "cluster_size" -> clusterBits = clusterBits(value);
      case "compat" -> version = version(value);
      case "compression_type" -> compressionType = compressionType(value);
      case "refcount_bits" -> refcountWidth = refcountWidth(value);
      case "extended_l2" -> extendedL2 = onOff(key, value);
      case "lazy_refcounts" -> lazyRefcounts = onOff(key, value);
      case "backing_file" -> backingFile = Optional.of(value);
      case "backing_fmt" -> backingFormat = Optional.of(value);
      case "preallocation" -> preallocation = preallocation(value);
      case "data_file" -> dataFile = Optional.of(value);
      case "data_file_raw" -> dataFileRaw = onOff(key, value);
      case "size" -> size = OptionalLong.of(size(key, value));
      case "nocow" -> onOff(key, value); // means something on btrfs only, and there just speed
      case "extent_size_hint" -> size(key, value);
      case "encryption" -> {
        if (onOff(key, value)) {
          throw CommandFailedException.usage("-o encryption: the legacy format is not made")
              .hint("encrypt.format=luks encrypts well");
        }
      }
      default -> {
        if (key.startsWith(EncryptOptions.PREFIX)) {
          encryption.set(key.substring(EncryptOptions.PREFIX.length()), value);
          return;
        }
        throw CommandFailedException.usage("-o: unknown option '" + key + "'")
            .hint(
                "there are cluster_size, compat, compression_type, refcount_bits, extended_l2,"
                    + " lazy_refcounts, backing_file, backing_fmt, preallocation, data_file,"
                    + " data_file_raw, size, nocow, encrypt.format, encrypt.cipher-alg,"
                    + " encrypt.cipher-mode, encrypt.ivgen-alg, encrypt.ivgen-hash-alg,"
                    + " encrypt.hash-alg, encrypt.iter-time");
      }
    }
  }

  /** The backing file that the options name. */
  Optional<String> backingFile() {
    return backingFile;
  }

  Optional<String> backingFormat() {
    return backingFormat;
  }

  /** How the image is to be encrypted. */
  EncryptOptions encryption() {
    return encryption;
  }

  /** The name of the external data file, from the working directory on. */
  Optional<String> dataFile() {
    return dataFile;
  }

  /** The disk's size in bytes. */
  OptionalLong size() {
    return size;
  }

  /** Refuses what makes no sense for a raw image, and returns what is left. */
  Preallocation raw() throws CommandFailedException {
    if (!onlyQcow2.isEmpty()) {
      throw CommandFailedException.usage(
              "-o %s: a raw image has no such option".formatted(onlyQcow2.getFirst()))
          .hint("there are size, preallocation, nocow; or say -O qcow2 (create: -f qcow2)");
    }
    if (preallocation == Preallocation.METADATA) {
      throw invalid("preallocation", "metadata", "off, falloc or full for a raw image");
    }
    return preallocation;
  }

  /** What the options say about the image itself. */
  NewImageOptions image() throws CommandFailedException {
    if (dataFileRaw && dataFile.isEmpty()) {
      throw CommandFailedException.usage("-o data_file_raw=on: data_file is missing");
    }
    if (extendedL2 && clusterBits < Geometry.MIN_CLUSTER_BITS_EXTENDED_L2) {
      throw CommandFailedException.usage(
          "-o extended_l2=on: cluster_size=%d is not allowed, but 16k to 2M"
              .formatted(1 << clusterBits));
    }
    try {
      return new NewImageOptions(
          version,
          new Geometry(clusterBits, extendedL2, refcountWidth),
          compressionType,
          lazyRefcounts,
          Optional.empty(),
          List.of(),
          dataFile.map(name -> new NewImageOptions.DataFile(name, dataFileRaw)),
          preallocation);
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage("-o: " + e.getMessage());
    }
  }

  private static int clusterBits(String value) throws CommandFailedException {
    long size;
    try {
      size = ByteSize.parse(value).bytes();
    } catch (IllegalArgumentException _) {
      size = 0;
    }
    int bits = Long.numberOfTrailingZeros(size);
    if (Long.bitCount(size) != 1
        || bits < Geometry.MIN_CLUSTER_BITS
        || bits > Geometry.MAX_CLUSTER_BITS) {
      throw invalid("cluster_size", value, "a power of two from 512 to 2M");
    }
    return bits;
  }

  private static long size(String key, String value) throws CommandFailedException {
    try {
      return ByteSize.parse(value).bytes();
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage("-o " + key + ": " + e.getMessage());
    }
  }

  static Preallocation preallocation(String value) throws CommandFailedException {
    return switch (value) {
      case "off" -> Preallocation.OFF;
      case "metadata" -> Preallocation.METADATA;
      case "falloc" -> Preallocation.FALLOC;
      case "full" -> Preallocation.FULL;
      default -> throw invalid("preallocation", value, "off, metadata, falloc or full");
    };
  }

  static int version(String value) throws CommandFailedException {
    return switch (value) {
      case "0.10", "v2" -> 2;
      case "1.1", "v3" -> 3;
      default -> throw invalid("compat", value, "0.10 or 1.1");
    };
  }

  private static CompressionType compressionType(String value) throws CommandFailedException {
    return switch (value) {
      case "zlib" -> CompressionType.ZLIB;
      case "zstd" -> CompressionType.ZSTD;
      default -> throw invalid("compression_type", value, "zlib or zstd");
    };
  }

  static RefcountWidth refcountWidth(String value) throws CommandFailedException {
    return switch (value) {
      case "1", "2", "4", "8", "16", "32", "64" ->
          new RefcountWidth(Integer.numberOfTrailingZeros(Integer.parseInt(value)));
      default -> throw invalid("refcount_bits", value, "a power of two from 1 to 64");
    };
  }

  static boolean onOff(String key, String value) throws CommandFailedException {
    return switch (value.toLowerCase(Locale.ROOT)) {
      case "on", "yes", "true", "y" -> true;
      case "off", "no", "false", "n" -> false;
      default -> throw invalid(key, value, "on or off");
    };
  }

  private static CommandFailedException invalid(String key, String value, String allowed) {
    return CommandFailedException.usage(
        "-o %s: '%s' is not allowed, but %s".formatted(key, value, allowed));
  }
}
