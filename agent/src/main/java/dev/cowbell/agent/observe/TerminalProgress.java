package dev.cowbell.agent.observe;

import java.io.PrintStream;
import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarConsumer;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Shows a line per phase, redrawn in place four times a second: how much of how much, bytes a
 * second, and the time that is left.
 */
public final class TerminalProgress implements Progress {

  private static final int REDRAW_MILLIS = 250;
  private static final long MIB = 1 << 20;

  private final PrintStream terminal;
  private final int columns;

  /**
   * Draws on a terminal.
   *
   * @param terminal where to draw; not closed
   * @param columns the terminal's width in characters
   */
  public TerminalProgress(PrintStream terminal, int columns) {
    this.terminal = terminal;
    this.columns = columns;
  }

  @Override
  public Phase begin(String what, long totalBytes) {
    ProgressBar bar =
        ProgressBar.builder()
            .setTaskName(what)
            .setInitialMax(totalBytes)
            .setStyle(ProgressBarStyle.ASCII)
            .setUnit(" MiB", MIB)
            .showSpeed(new DecimalFormat("0.0", DecimalFormatSymbols.getInstance(Locale.ROOT)))
            .setUpdateIntervalMillis(REDRAW_MILLIS)
            .setConsumer(new OneLine(terminal, columns))
            .build();
    return new Phase() {
      @Override
      public void advance(long bytes) {
        bar.stepBy(bytes);
      }

      @Override
      public void close() {
        bar.close();
      }
    };
  }

  /** Redraws one line; unlike the library's own consumer it starts no native terminal code. */
  private record OneLine(PrintStream terminal, int columns) implements ProgressBarConsumer {

    private static final String BACK_AND_ERASE = "\r\u001b[K";

    @Override
    public int getMaxRenderedLength() {
      return columns;
    }

    @Override
    public void accept(String rendered) {
      terminal.print(BACK_AND_ERASE + rendered);
      terminal.flush();
    }

    @Override
    public void clear() {
      terminal.print(BACK_AND_ERASE);
      terminal.flush();
    }

    @Override
    public void close() {
      terminal.println();
      terminal.flush();
    }
  }
}
