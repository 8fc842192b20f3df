package dev.cowbell.bitmaps;

/** Takes runs of bytes one by one, without an object for each. */
@FunctionalInterface
public interface RunConsumer {

  /**
   * Takes one run.
   *
   * @param offset the first byte of the run
   * @param length its number of bytes, at least 1
   */
  void accept(long offset, long length);
}
