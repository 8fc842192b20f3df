package dev.cowbell.agent.repository;

import java.time.Instant;
import java.util.UUID;

/**
 * What a repository says of itself.
 *
 * @param id tells this repository from every other
 * @param created when {@code init} made it
 */
public record Descriptor(UUID id, Instant created) {}
