package dev.cowbell.qcow2.overlay;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Gets the digests of what an overlay holds, while it is written: in guest order, without overlaps,
 * from one thread. What a full leaves out is not mentioned.
 */
public interface DigestSink {

  /**
   * Guest bytes that the overlay says are zero.
   *
   * @param offset of the first byte; whole clusters, so the last may end behind the disk's end
   */
  void zero(long offset, long length) throws IOException;

  /**
   * Guest bytes that the overlay holds.
   *
   * @param offset of the first byte
   * @param unit the bytes that each digest stands for; what lies behind the disk's end counts as
   *     zeroes
   * @param digests {@link ContentDigest#LENGTH} bytes for each unit, from position to limit; may be
   *     reused when the call returns
   */
  void data(long offset, int unit, ByteBuffer digests) throws IOException;
}
