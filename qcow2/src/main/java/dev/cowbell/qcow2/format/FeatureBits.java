package dev.cowbell.qcow2.format;

/**
 * The three words of feature bits, unknown bits included (specification: "Header", bytes 72 to 95).
 * A version 2 image has {@link #NONE}.
 */
public record FeatureBits(long incompatible, long compatible, long autoclear) {
  public static final FeatureBits NONE = new FeatureBits(0, 0, 0);

  public boolean has(Feature feature) {
    return (word(feature.kind()) & feature.mask()) != 0;
  }

  public FeatureBits with(Feature feature) {
    return withWord(feature.kind(), word(feature.kind()) | feature.mask());
  }

  public FeatureBits without(Feature feature) {
    return withWord(feature.kind(), word(feature.kind()) & ~feature.mask());
  }

  /** The bits set in a word that this library gives no meaning to. */
  public long unknown(Feature.Kind kind) {
    return word(kind) & ~Feature.known(kind);
  }

  public long word(Feature.Kind kind) {
    return switch (kind) {
      case INCOMPATIBLE -> incompatible;
      case COMPATIBLE -> compatible;
      case AUTOCLEAR -> autoclear;
    };
  }

  private FeatureBits withWord(Feature.Kind kind, long word) {
    return switch (kind) {
      case INCOMPATIBLE -> new FeatureBits(word, compatible, autoclear);
      case COMPATIBLE -> new FeatureBits(incompatible, word, autoclear);
      case AUTOCLEAR -> new FeatureBits(incompatible, compatible, word);
    };
  }
}
