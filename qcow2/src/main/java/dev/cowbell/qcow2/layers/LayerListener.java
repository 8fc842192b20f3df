package dev.cowbell.qcow2.layers;

import java.io.IOException;

/** Hears how far work on a disk is. */
public interface LayerListener {

  /** Hears nothing. */
  LayerListener NONE =
      new LayerListener() {
        @Override
        public void begin(long bytes) {}

        @Override
        public void done(long bytes) {}
      };

  /** The work has this many guest bytes to go through; called once, first. */
  void begin(long bytes);

  /**
   * So many more of them are dealt with.
   *
   * @throws IOException to end the work, which leaves every layer's content as its guest saw it
   */
  void done(long bytes) throws IOException;
}
