package dev.cowbell.qcow2.format;

import dev.cowbell.qcow2.UnsupportedFeatureException;

/** How guest data is encrypted (specification: "Header", bytes 32 to 35). */
public enum CryptMethod {
  NONE(0),
  /** AES-128-CBC with the password as its key. */
  AES(1),
  /** LUKS version 1, its header where the full disk encryption extension says. */
  LUKS(2);

  private final int code;

  CryptMethod(int code) {
    this.code = code;
  }

  /** The header's number for it. */
  public int code() {
    return code;
  }

  static CryptMethod of(long code) throws UnsupportedFeatureException {
    for (CryptMethod method : values()) {
      if (method.code == code) {
        return method;
      }
    }
    throw new UnsupportedFeatureException(
        "crypt_method is " + code + ", known are 0 (none), 1 (AES) and 2 (LUKS)");
  }
}
