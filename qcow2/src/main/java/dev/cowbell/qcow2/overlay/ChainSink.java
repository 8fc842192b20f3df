package dev.cowbell.qcow2.overlay;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Takes the content of a chain. Every guest byte arrives exactly once, in no particular order and
 * from several threads at once. An exception stops the reading.
 */
public interface ChainSink {

  /** Guest bytes; the buffer may be reused when the call returns. */
  void data(long at, ByteBuffer bytes) throws IOException;

  /** A run that reads as zeroes. */
  void zeroes(long at, long length) throws IOException;

  /**
   * A cluster that can't be read; the wanted bytes in it arrive in no other way. Throwing the
   * exception, as this does, stops the reading.
   */
  default void damaged(DamagedClusterException damage) throws IOException {
    throw damage;
  }
}
