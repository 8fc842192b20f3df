package dev.cowbell.agent.status;

import dev.cowbell.agent.repository.VmName;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What a repository holds of a VM.
 *
 * @param repository its URL
 * @param points oldest first
 * @param unreadable how many manifests can't be used
 * @param seen when this was read
 * @param problem why it could not be read the last time; what is here is older then
 */
public record VmView(
    VmName vm,
    String repository,
    List<PointView> points,
    int unreadable,
    Instant seen,
    Optional<String> problem) {

  public VmView {
    points = List.copyOf(points);
  }

  /** The newest point. */
  public Optional<PointView> newest() {
    return points.isEmpty() ? Optional.empty() : Optional.of(points.getLast());
  }

  /** What all of its points take in the store. */
  public long storedBytes() {
    return points.stream().mapToLong(PointView::storedBytes).sum();
  }
}
