package dev.cowbell.agent.config;

import dev.cowbell.agent.verify.VerifyRequest.Level;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/**
 * What a job verifies instead of backing up.
 *
 * @param level how deep
 * @param within everything is read once in this time; empty for everything in each run
 */
public record Verification(Level level, Optional<Duration> within) {

  @Override
  public String toString() {
    return level.name().toLowerCase(Locale.ROOT)
        + within.map(time -> ", all within " + time.toDays() + " days").orElse("");
  }
}
