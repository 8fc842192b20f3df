package dev.cowbell.qcow2.write;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Reads what the guest sees now; the caller holds the image's lock. */
@FunctionalInterface
public interface GuestReader {
  void read(long at, ByteBuffer dst) throws IOException;
}
