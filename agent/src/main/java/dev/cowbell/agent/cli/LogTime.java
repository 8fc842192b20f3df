package dev.cowbell.agent.cli;

import ch.qos.logback.classic.pattern.ClassicConverter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/**
 * When something was logged, in UTC to the millisecond. Logback's own {@code %d} asks for the local
 * time zone, whose rules take as long to load as the rest of a small backup's preparations.
 */
final class LogTime extends ClassicConverter {
  private static final DateTimeFormatter FORMAT =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSX").withZone(ZoneOffset.UTC);

  @Override
  public String convert(ILoggingEvent event) {
    return FORMAT.format(Instant.ofEpochMilli(event.getTimeStamp()));
  }
}
