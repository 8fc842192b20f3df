package dev.cowbell.agent.daemon;

import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.schedule.ScheduleEvent;
import java.util.List;

/** Is told what the agent does. Called from many threads; must be quick and must not throw. */
public interface RunObserver {

  /**
   * A run begins.
   *
   * @return where it is to tell how far it is
   */
  Progress begun(RunRequest request);

  /** A run is over. */
  void ended(RunRequest request, RunReport report);

  /** The scheduler decided something. */
  void scheduled(ScheduleEvent event);

  /** Tells several observers; progress goes to the first of them. */
  static RunObserver all(List<RunObserver> observers) {
    List<RunObserver> all = List.copyOf(observers);
    return new RunObserver() {
      @Override
      public Progress begun(RunRequest request) {
        List<Progress> each = all.stream().map(observer -> observer.begun(request)).toList();
        return each.stream()
            .filter(p -> !p.equals(Progress.NONE))
            .findFirst()
            .orElse(Progress.NONE);
      }

      @Override
      public void ended(RunRequest request, RunReport report) {
        all.forEach(observer -> observer.ended(request, report));
      }

      @Override
      public void scheduled(ScheduleEvent event) {
        all.forEach(observer -> observer.scheduled(event));
      }
    };
  }
}
