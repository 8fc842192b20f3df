package dev.cowbell.agent.status;

import dev.cowbell.agent.config.Configuration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;

/**
 * Everything about an agent at one moment.
 *
 * @param agent its name
 * @param version of Cowbell
 * @param vms what the repositories hold
 * @param running what runs
 * @param ended the last runs, the newest first
 */
record Snapshot(
    String agent,
    String version,
    Instant at,
    Configuration configuration,
    List<VmView> vms,
    List<RunBoard.Running> running,
    List<RunView> ended) {

  /** The zone in which times are shown. */
  ZoneId zone() {
    return configuration.agent().zone();
  }
}
