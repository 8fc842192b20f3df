package dev.cowbell.agent.prune;

import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.qcow2.overlay.MergeLimits;
import java.time.InstantSource;

/**
 * What a prune needs to know of the process it runs in.
 *
 * @param clock the time that points and leftovers are held against
 * @param host the name of this host, for people
 * @param limits when bytes are copied inside the store
 * @param progress is told how far it is
 * @param cancellation asks it to stop
 * @param moments is told of the moments at which a crash matters
 */
public record PruneSettings(
    InstantSource clock,
    String host,
    MergeLimits limits,
    Progress progress,
    Cancellation cancellation,
    PruneMoment.Observer moments) {}
