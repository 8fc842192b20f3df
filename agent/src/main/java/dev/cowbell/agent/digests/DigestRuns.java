package dev.cowbell.agent.digests;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Runs in ascending order, without overlaps. Used by one thread. */
@FunctionalInterface
interface DigestRuns {

  /** The next run, or null behind the last one. */
  @Nullable DigestRun next() throws IOException;
}
