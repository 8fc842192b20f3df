package dev.cowbell.agent.repository;

import java.time.Duration;
import java.time.InstantSource;

/**
 * How leases are held.
 *
 * @param clock tells others when; nobody's right to write depends on it
 * @param host the name of this host, for people
 * @param duration how long a lease lasts without a renewal; it is renewed four times as often
 */
public record LeaseTerms(InstantSource clock, String host, Duration duration) {

  /** How long a lease usually lasts without a renewal. */
  public static final Duration USUAL = Duration.ofSeconds(60);

  public LeaseTerms(InstantSource clock, String host) {
    this(clock, host, USUAL);
  }
}
