package dev.cowbell.agent.status;

import dev.cowbell.agent.daemon.RunObserver;
import dev.cowbell.agent.daemon.RunReport;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.schedule.ScheduleEvent;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Remembers what runs now, and how the last runs ended. */
public final class RunBoard implements RunObserver {

  private static final int REMEMBERED = 100;

  private final InstantSource clock;
  private final Map<RunRequest, Running> running = new ConcurrentHashMap<>();
  private final Deque<RunView> ended = new ArrayDeque<>();

  public RunBoard(InstantSource clock) {
    this.clock = clock;
  }

  /** A run under way. */
  public static final class Running implements Progress {
    private final RunRequest request;
    private final Instant started;
    private volatile String what = "";
    private volatile long total = -1;
    private volatile long done;

    private Running(RunRequest request, Instant started) {
      this.request = request;
      this.started = started;
    }

    public RunRequest request() {
      return request;
    }

    public Instant started() {
      return started;
    }

    /** What it does now, in a few words. */
    public String what() {
      return what;
    }

    /** How much of it is done, 0 to 100; -1 when nobody knows. */
    public int percent() {
      long all = total;
      return all <= 0 ? -1 : Math.clamp(done * 100 / all, 0, 100);
    }

    @Override
    public synchronized Phase begin(String phase, long totalBytes) {
      what = phase;
      total = totalBytes;
      done = 0;
      return new Phase() {
        @Override
        public void advance(long bytes) {
          synchronized (Running.this) {
            done += bytes;
          }
        }

        @Override
        public void close() {}
      };
    }
  }

  @Override
  public Progress begun(RunRequest request) {
    Running run = new Running(request, clock.instant());
    running.put(request, run);
    return run;
  }

  @Override
  public void ended(RunRequest request, RunReport report) {
    running.remove(request);
    RunView view =
        new RunView(
            request,
            report.started(),
            Duration.between(report.started(), report.ended()),
            outcome(report),
            detail(report),
            report.point().map(Manifest::point));
    synchronized (ended) {
      ended.addFirst(view);
      if (ended.size() > REMEMBERED) {
        ended.removeLast();
      }
    }
  }

  private static RunView.Outcome outcome(RunReport report) {
    return switch (report.outcome()) {
      case RunOutcome.Done() ->
          report.warnings().isEmpty() ? RunView.Outcome.DONE : RunView.Outcome.WARNED;
      case RunOutcome.Failed _ -> RunView.Outcome.FAILED;
      case RunOutcome.Stopped() -> RunView.Outcome.STOPPED;
    };
  }

  private static String detail(RunReport report) {
    return report.outcome() instanceof RunOutcome.Failed failed
        ? failed.why()
        : String.join("; ", report.warnings());
  }

  @Override
  public void scheduled(ScheduleEvent event) {}

  /** What runs now, the longest first. */
  public List<Running> running() {
    return running.values().stream().sorted(Comparator.comparing(Running::started)).toList();
  }

  /** The last runs, the newest first. */
  public List<RunView> ended() {
    synchronized (ended) {
      return List.copyOf(ended);
    }
  }
}
