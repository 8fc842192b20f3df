package dev.cowbell.agent.restore;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.Manifest;
import java.time.Instant;

/** Which point the user means. */
public sealed interface PointChoice {

  /** {@code latest}, an id, or the beginning of one. */
  record Named(String name) implements PointChoice {}

  /** The newest one that is not younger. */
  record At(Instant moment) implements PointChoice {}

  /** The point in a catalogue. */
  default Manifest in(Catalogue catalogue) throws NotFoundException {
    return switch (this) {
      case Named(String name) -> catalogue.resolve(name);
      case At(Instant moment) -> catalogue.at(moment);
    };
  }
}
