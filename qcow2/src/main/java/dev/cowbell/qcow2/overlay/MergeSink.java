package dev.cowbell.qcow2.overlay;

import java.io.IOException;

/** Where a merged overlay goes: a body that also grows by ranges of the overlays it is made of. */
public interface MergeSink extends OverlaySink {

  /**
   * Appends bytes of one of the merged overlays, inside the store where it can.
   *
   * @param overlay its number in the chain of merged overlays, the newest being 0
   */
  void appendCopy(int overlay, long at, long length) throws IOException;
}
