package dev.cowbell.qcow2.write;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Where uncompressed guest data is written to: the image itself or its external data file. */
public interface ClusterStore {

  /**
   * Writes all of {@code src}; its content stays as it is.
   *
   * @param guestOffset where the bytes are on the guest's disk
   * @param hostOffset where they go in the file
   */
  void write(long guestOffset, long hostOffset, ByteBuffer src) throws IOException;

  /**
   * Guest bytes read as zeroes from now on because the tables say so; a raw data file has to say so
   * as well.
   */
  default void zeroed(long guestOffset, long length) throws IOException {}

  /** The disk has another size from now on; a raw data file has to follow. */
  default void resized(long diskSize) throws IOException {}

  /**
   * The unit that can be written without knowing what is around it: 1, or a sector if encrypted.
   */
  int granularity();

  /** From which place on the file holds nothing and so reads as zeroes, as far as is known. */
  long untouchedFrom() throws IOException;
}
