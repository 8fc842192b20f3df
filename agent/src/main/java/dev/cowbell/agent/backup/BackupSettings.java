package dev.cowbell.agent.backup;

import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.repository.PointIds;
import java.time.InstantSource;

/**
 * What a backup needs to know of the process it runs in.
 *
 * @param clock the time of points
 * @param ids makes ids for points
 * @param host the name of this host, for people
 * @param version of Cowbell, for people
 * @param progress is told how far it is
 * @param cancellation asks it to stop
 * @param moments is told of the moments at which a crash matters
 */
public record BackupSettings(
    InstantSource clock,
    PointIds ids,
    String host,
    String version,
    Progress progress,
    Cancellation cancellation,
    Moment.Observer moments) {}
