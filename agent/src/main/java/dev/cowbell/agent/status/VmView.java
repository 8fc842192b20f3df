package dev.cowbell.agent.status;

import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.VmName;
import java.io.IOException;
import java.time.Instant;
import java.util.Comparator;
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

  /** Reads what there is now of a VM. */
  public static VmView read(Repository repository, VmName vm, String url, Instant now)
      throws IOException {
    Catalogue catalogue = repository.catalogue(vm);
    return new VmView(
        vm,
        url,
        catalogue.points().stream()
            .map(point -> PointView.of(catalogue, point))
            .sorted(Comparator.comparing(PointView::id))
            .toList(),
        catalogue.unreadable().size(),
        now,
        Optional.empty());
  }

  /** What was known before, or nothing, when the repository can't be read. */
  public static VmView unread(
      VmName vm, String url, Optional<VmView> before, String problem, Instant now) {
    return new VmView(
        vm,
        url,
        before.map(VmView::points).orElse(List.of()),
        before.map(VmView::unreadable).orElse(0),
        before.map(VmView::seen).orElse(now),
        Optional.of(problem));
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
