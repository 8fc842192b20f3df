package dev.cowbell.qcow2.map;

import dev.cowbell.qcow2.format.Mapping;

/**
 * A run of guest bytes with one mapping. Where the mapping has a host offset it is that of the
 * run's first byte, and the rest follows; a compressed run lies inside one cluster.
 *
 * @param offset the first guest byte
 * @param length the number of bytes, at least 1
 * @param mapping what the L2 tables say
 */
public record MappedRun(long offset, long length, Mapping mapping) {}
