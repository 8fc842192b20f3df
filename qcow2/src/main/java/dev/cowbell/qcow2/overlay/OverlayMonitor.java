package dev.cowbell.qcow2.overlay;

/** Watches an overlay being written or read, and may stop it. Called from several threads. */
public interface OverlayMonitor {

  /** Watches nothing and never stops anything. */
  OverlayMonitor NONE =
      new OverlayMonitor() {
        @Override
        public void advance(long bytes) {}

        @Override
        public boolean isCancelled() {
          return false;
        }
      };

  /** So many more bytes are done: of the disk when writing, of the object when verifying. */
  void advance(long bytes);

  /**
   * Whether the run is to end at the next opportunity, with an {@link OverlayCancelledException}.
   */
  boolean isCancelled();

  /** Ends the run here if it is to end. */
  default void check() throws OverlayCancelledException {
    if (isCancelled()) {
      throw new OverlayCancelledException();
    }
  }
}
