package dev.cowbell.qcow2.overlay;

import java.io.IOException;

/** Goes through frames of an overlay. For one thread. */
interface FrameSequence {

  /** Goes to the next frame; false behind the last one. */
  boolean next() throws IOException;

  /** Where the present frame starts in the object. */
  long hostOffset();

  /** The first byte behind which the present frame can't reach. */
  long hostEnd();

  /** The first guest byte of the present frame's cluster. */
  long guestOffset();
}
