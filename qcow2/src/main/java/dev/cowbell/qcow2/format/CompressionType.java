package dev.cowbell.qcow2.format;

import dev.cowbell.qcow2.UnsupportedFeatureException;

/** How compressed clusters are packed (specification: "Header", byte 104). */
public enum CompressionType {
  /** A raw deflate stream, with no zlib header. */
  ZLIB(0),
  /** Zstandard frames. */
  ZSTD(1);

  private final int code;

  CompressionType(int code) {
    this.code = code;
  }

  /** The header's number for it. */
  public int code() {
    return code;
  }

  static CompressionType of(long code) throws UnsupportedFeatureException {
    for (CompressionType type : values()) {
      if (type.code == code) {
        return type;
      }
    }
    throw new UnsupportedFeatureException(
        "compression_type is " + code + ", known are 0 (zlib) and 1 (zstd)");
  }
}
