package dev.cowbell.agent.observe;

/**
 * How far a run is, told by a use case to whoever looks. A run has phases, one at a time or side by
 * side; a phase has bytes. Implementations take calls from any thread and never block for long.
 */
public interface Progress {

  /** Tells nobody. */
  Progress NONE = (what, totalBytes) -> Phase.SILENT;

  /**
   * Begins a phase; closing it ends it.
   *
   * @param what a few words, such as "vda: reading"
   * @param totalBytes how many bytes the phase will get through, negative when nobody knows
   */
  Phase begin(String what, long totalBytes);

  /** A part of a run. */
  interface Phase extends AutoCloseable {

    /** A phase that tells nobody. */
    Phase SILENT =
        new Phase() {
          @Override
          public void advance(long bytes) {}

          @Override
          public void close() {}
        };

    /** Says that so many more bytes are done, counted as {@link Progress#begin} counts them. */
    void advance(long bytes);

    @Override
    void close();
  }
}
