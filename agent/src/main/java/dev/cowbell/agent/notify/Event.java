package dev.cowbell.agent.notify;

import dev.cowbell.agent.config.Channel.Occasion;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.schedule.JobName;
import java.time.Instant;
import java.util.Optional;

/**
 * Something that people want to be told of.
 *
 * @param job whose run it was; empty if none ran
 * @param text what happened, in a sentence
 * @param claimed what was claimed to be told of, and is to be taken down as told when it was
 */
record Event(
    Occasion occasion,
    Optional<JobName> job,
    VmName vm,
    Instant at,
    String text,
    Optional<Subject> claimed) {}
