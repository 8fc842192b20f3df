package dev.cowbell.agent.backup;

import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.PointId;
import java.util.Optional;

/**
 * A point that an increment might build upon.
 *
 * @param point its id
 * @param record what its manifest says of the disk
 * @param chainProblem what makes its chain unusable; empty if nothing does
 */
public record ParentFacts(PointId point, DiskRecord record, Optional<String> chainProblem) {}
