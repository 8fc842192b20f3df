package dev.cowbell.agent.daemon;

import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.schedule.RunOutcome;
import dev.cowbell.agent.schedule.RunRequest;
import dev.cowbell.agent.schedule.ScheduleEvent;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.spi.LoggingEventBuilder;

/** Writes what the agent does into the log, each fact under a key of its own. */
final class RunLog implements RunObserver {

  private static final Logger LOG = LoggerFactory.getLogger("dev.cowbell.runs");

  @Override
  public Progress begun(RunRequest request) {
    about(LOG.atInfo(), request)
        .addKeyValue("reason", request.reason())
        .addKeyValue("due", request.due())
        .addKeyValue("attempt", request.attempt())
        .log("run begins");
    return Progress.NONE;
  }

  @Override
  public void ended(RunRequest request, RunReport report) {
    for (String warning : report.warnings()) {
      about(LOG.atWarn(), request).log(warning);
    }
    switch (report.outcome()) {
      case RunOutcome.Done() -> facts(LOG.atInfo(), request, report).log("run done");
      case RunOutcome.Stopped() ->
          facts(LOG.atInfo(), request, report).log("run stopped; it will be run again");
      case RunOutcome.Failed(String why, RunOutcome.Again again) ->
          facts(LOG.atError(), request, report)
              .addKeyValue("again", again)
              .log("run failed: {}", why);
    }
  }

  @Override
  public void scheduled(ScheduleEvent event) {
    switch (event) {
      case ScheduleEvent.PutOff(RunRequest request, var until, String why) ->
          about(LOG.atInfo(), request).addKeyValue("until", until).log("run waits: {}", why);
      case ScheduleEvent.Skipped(RunRequest request, String why) ->
          about(LOG.atInfo(), request).log("run left out: {}", why);
      case ScheduleEvent.Started _, ScheduleEvent.Finished _ -> {}
    }
  }

  private static LoggingEventBuilder about(LoggingEventBuilder event, RunRequest request) {
    return event.addKeyValue("job", request.job().value()).addKeyValue("vm", request.vm().value());
  }

  private static LoggingEventBuilder facts(
      LoggingEventBuilder event, RunRequest request, RunReport report) {
    LoggingEventBuilder facts =
        about(event, request)
            .addKeyValue("ms", Duration.between(report.started(), report.ended()).toMillis());
    if (report.verified().isPresent()) {
      facts =
          facts
              .addKeyValue("overlays", report.verified().get().overlays())
              .addKeyValue("read", report.verified().get().bytesRead())
              .addKeyValue("damaged", report.verified().get().damage().size());
    }
    if (report.point().isPresent()) {
      Manifest point = report.point().get();
      facts =
          facts
              .addKeyValue("point", point.point().value())
              .addKeyValue("kind", point.kind().word())
              .addKeyValue("changed", point.changedBytes())
              .addKeyValue("stored", point.storedBytes());
    }
    return facts;
  }
}
