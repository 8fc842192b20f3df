package dev.cowbell.qcow2.crypto;

import java.util.Arrays;

/**
 * The key that an image's data is encrypted under, in memory until it is closed; closing overwrites
 * it.
 */
public final class MasterKey implements AutoCloseable {
  private final CipherSpec spec;
  private final byte[] bytes;
  private volatile boolean closed;

  private MasterKey(CipherSpec spec, byte[] bytes) {
    this.spec = spec;
    this.bytes = bytes;
  }

  /** Takes over an array, which is overwritten on closing. */
  static MasterKey adopt(CipherSpec spec, byte[] bytes) {
    return new MasterKey(spec, bytes);
  }

  /** A cipher with a copy of the key, to be closed by the caller. */
  public SectorCipher newCipher() {
    return new SectorCipher(spec, bytes());
  }

  /** The key itself, not a copy: to be read while it isn't closed. */
  byte[] bytes() {
    if (closed) {
      throw new IllegalStateException("the master key is closed");
    }
    return bytes;
  }

  @Override
  public void close() {
    closed = true;
    Arrays.fill(bytes, (byte) 0);
  }

  @Override
  public String toString() {
    return "MasterKey[" + spec + "]";
  }
}
