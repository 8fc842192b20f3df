package dev.cowbell.qcow2.build;

import java.io.IOException;

/** Hears how far a copy is; called from any of its threads. */
@FunctionalInterface
public interface CopyListener {

  /** Is told nothing. */
  CopyListener NONE = _ -> {};

  /**
   * So many more bytes of the disk are done, zeroes included.
   *
   * @throws IOException to end the copy
   */
  void copied(long bytes) throws IOException;
}
