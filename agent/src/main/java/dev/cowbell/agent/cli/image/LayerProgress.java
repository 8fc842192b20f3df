package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.qcow2.layers.LayerListener;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Shows how far work on layers is, and ends it when the user wants that. */
final class LayerProgress implements LayerListener, AutoCloseable {
  private final Progress progress;
  private final String work;
  private final Cancellation cancellation;
  private Progress.@Nullable Phase phase;

  LayerProgress(Progress progress, String work, Cancellation cancellation) {
    this.progress = progress;
    this.work = work;
    this.cancellation = cancellation;
  }

  @Override
  public void begin(long bytes) {
    phase = progress.begin(work, bytes);
  }

  @Override
  public void done(long bytes) throws IOException {
    cancellation.check();
    if (phase != null) {
      phase.advance(bytes);
    }
  }

  @Override
  public void close() {
    if (phase != null) {
      phase.close();
    }
  }
}
