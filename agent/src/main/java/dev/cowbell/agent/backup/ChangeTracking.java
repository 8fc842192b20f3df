package dev.cowbell.agent.backup;

import dev.cowbell.agent.backup.Verdict.BitmapUse;
import dev.cowbell.agent.backup.Verdict.Full;
import dev.cowbell.agent.backup.Verdict.Increment;
import dev.cowbell.agent.backup.Verdict.TableDifference;
import dev.cowbell.agent.repository.SourceRecord.BackingIdentity;
import dev.cowbell.agent.repository.SourceRecord.SnapshotIdentity;
import dev.cowbell.agent.repository.TrackingRecord;
import dev.cowbell.agent.source.DiskFacts;
import dev.cowbell.agent.source.DiskFacts.BitmapFact;
import dev.cowbell.agent.source.DiskFacts.Layer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Decides what of a disk has to be copied: the tracking rule of {@code docs/tracking.md}. Pure: the
 * same facts give the same verdict.
 */
public final class ChangeTracking {

  /** Whether a point can be built upon, and if not, why. */
  private sealed interface Candidate {
    record Usable(Increment increment) implements Candidate {}

    record Unusable(String reason) implements Candidate {}
  }

  private final DiskFacts facts;
  private final List<ParentFacts> parents;

  private ChangeTracking(DiskFacts facts, List<ParentFacts> parents) {
    this.facts = facts;
    this.parents = parents;
  }

  /**
   * Says what of the disk has to be copied.
   *
   * @param parents the points of the disk that count: the newest, and those whose bitmaps the image
   *     or a file below carries; newest first
   * @param userBitmap a bitmap of the user's own, which by their word holds every change since the
   *     disk's newest point
   */
  public static Verdict decide(
      DiskFacts facts, List<ParentFacts> parents, Optional<String> userBitmap) {
    ChangeTracking tracking = new ChangeTracking(facts, parents);
    Verdict verdict = tracking.decide(userBitmap);
    return verdict instanceof Full full ? tracking.rescanInsteadOf(full) : verdict;
  }

  /** Where digests tell what there was, everything has to be read but not all of it stored. */
  private Verdict rescanInsteadOf(Full full) {
    for (ParentFacts parent : parents) {
      if (parent.chainProblem().isEmpty()
          && parent.hasDigests()
          && facts.size() >= parent.record().virtualSize()) {
        return new Verdict.Rescan(
            parent.point(),
            "rescan: everything is compared with point %s, since %s"
                .formatted(parent.point(), full.reason()),
            List.of());
      }
    }
    return full;
  }

  private Verdict decide(Optional<String> userBitmap) {
    if (parents.isEmpty()) {
      return new Full(
          ours().isEmpty()
              ? "this is the first backup of the disk"
              : "the repository has no point of this disk to go with bitmap " + ours().getFirst());
    }
    List<String> reasons = new ArrayList<>();
    for (ParentFacts parent : parents) {
      switch (consider(parent)) {
        case Candidate.Usable(Increment increment) -> {
          return with(userBitmap, increment);
        }
        case Candidate.Unusable(String reason) -> reasons.add(reason);
      }
    }
    return userBitmap.map(this::onTheUsersWord).orElse(new Full(reasons.getFirst()));
  }

  private List<String> ours() {
    return facts.layers().getFirst().bitmaps().stream()
        .map(BitmapFact::name)
        .filter(name -> name.startsWith(TrackingRecord.PREFIX))
        .toList();
  }

  private Candidate consider(ParentFacts parent) {
    if (parent.chainProblem().isPresent()) {
      return new Candidate.Unusable(
          "point %s can't be built upon: %s"
              .formatted(parent.point(), parent.chainProblem().get()));
    }
    long then = parent.record().virtualSize();
    if (facts.size() < then) {
      return new Candidate.Unusable(
          "the disk was shrunk from %d to %d bytes since point %s"
              .formatted(then, facts.size(), parent.point()));
    }
    for (int i = 0; i < facts.layers().size(); i++) {
      Optional<BitmapFact> bitmap = facts.layers().get(i).bitmap(parent.bitmap());
      if (bitmap.isPresent()) {
        return fromBitmap(parent, i, bitmap.get());
      }
    }
    Optional<SnapshotIdentity> snapshot = parent.record().source().snapshot();
    if (snapshot.isPresent()) {
      return fromSnapshot(parent, snapshot.get());
    }
    return new Candidate.Unusable(
        parent.record().tracking().isPresent()
            ? "bitmap %s is not in the image".formatted(parent.bitmap())
            : "no bitmap recorded changes since point %s".formatted(parent.point()));
  }

  private Candidate fromSnapshot(ParentFacts parent, SnapshotIdentity then) {
    if (!facts.snapshots().contains(then)) {
      return new Candidate.Unusable(
          "point %s is of internal snapshot \"%s\", which is no longer in the image"
              .formatted(parent.point(), then.name()));
    }
    Optional<String> below = changeBelow(0, parent);
    if (below.isPresent()) {
      return new Candidate.Unusable(below.get());
    }
    return new Candidate.Usable(
        new Increment(
            parent.point(),
            List.of(),
            0,
            Optional.of(new TableDifference(Optional.of(then), facts.reading())),
            parent.record().virtualSize(),
            "the image's tables tell what differs from point %s, which is of internal snapshot \"%s\""
                .formatted(parent.point(), then.name()),
            List.of()));
  }

  private Candidate fromBitmap(ParentFacts parent, int layer, BitmapFact bitmap) {
    Optional<String> problem = distrust(parent, bitmap).or(() -> changeBelow(layer, parent));
    if (problem.isPresent()) {
      return new Candidate.Unusable(problem.get());
    }
    String where =
        layer == 0 ? "" : " in " + facts.layers().get(layer).identity().path() + " below";
    return new Candidate.Usable(
        new Increment(
            parent.point(),
            List.of(new BitmapUse(layer, bitmap.name())),
            layer,
            facts.reading().map(to -> new TableDifference(Optional.empty(), Optional.of(to))),
            tailFrom(parent, layer, bitmap.granularity()),
            "bitmap %s%s recorded every change since point %s"
                .formatted(bitmap.name(), where, parent.point()),
            List.of()));
  }

  /** Why a bitmap can't be trusted; empty if it can. */
  private static Optional<String> distrust(ParentFacts parent, BitmapFact bitmap) {
    String name = bitmap.name();
    return switch (bitmap.state()) {
      case IN_USE ->
          Optional.of(
              "bitmap %s is marked in use: whoever wrote to the image last did not close it"
                  .formatted(name));
      case INCONSISTENT -> Optional.of("bitmap %s is damaged".formatted(name));
      case DISABLED ->
          Optional.of("bitmap %s is disabled, so it may have missed changes".formatted(name));
      case RECORDING -> {
        long then = parent.record().virtualSize();
        boolean sentinel = then > 0 && bitmap.isDirty(then - 1);
        yield sentinel
            ? Optional.empty()
            : Optional.of(
                ("bitmap %s has lost its mark at the end of the disk: the disk was resized, or the"
                        + " bitmap cleared, since point %s")
                    .formatted(name, parent.point()));
      }
    };
  }

  /** How the files below a layer differ from what the point saw; empty if they don't. */
  private Optional<String> changeBelow(int layer, ParentFacts parent) {
    List<BackingIdentity> then = parent.record().source().backing();
    List<BackingIdentity> now =
        facts.layers().subList(layer + 1, facts.layers().size()).stream()
            .map(Layer::identity)
            .toList();
    // an image that was restored or flattened has nothing below it that could have changed
    if (now.isEmpty() || now.equals(then)) {
      return Optional.empty();
    }
    for (int i = 0; i < Math.min(now.size(), then.size()); i++) {
      if (!now.get(i).equals(then.get(i))) {
        return Optional.of(
            "backing file %s was changed or replaced since point %s"
                .formatted(now.get(i).path(), parent.point()));
      }
    }
    return Optional.of(
        "the image has %d backing files, at point %s it had %d"
            .formatted(now.size(), parent.point(), then.size()));
  }

  /**
   * Where the part begins that bitmaps know nothing of: at the smallest size that the disk can have
   * had, as far as its layers show, rounded down to a granule.
   */
  private long tailFrom(ParentFacts parent, int layer, long granularity) {
    long smallest = parent.record().virtualSize();
    for (Layer above : facts.layers().subList(0, layer + 1)) {
      smallest = Math.min(smallest, above.size());
    }
    boolean kept =
        facts.size() == parent.record().virtualSize() && smallest == parent.record().virtualSize();
    return kept ? facts.size() : smallest & -granularity;
  }

  private Verdict with(Optional<String> userBitmap, Increment increment) {
    if (userBitmap.isEmpty()) {
      return increment;
    }
    Optional<String> unusable = unusable(userBitmap.get());
    if (unusable.isPresent()) {
      return new Full(unusable.get());
    }
    List<BitmapUse> bitmaps = new ArrayList<>(increment.bitmaps());
    bitmaps.add(new BitmapUse(0, userBitmap.get()));
    return new Increment(
        increment.parent(),
        bitmaps,
        increment.layersAbove(),
        increment.tables(),
        increment.tailFrom(),
        increment.reason() + "; what bitmap %s marks is added".formatted(userBitmap.get()),
        increment.warnings());
  }

  private Verdict onTheUsersWord(String name) {
    ParentFacts newest = parents.getFirst();
    Optional<String> problem = unusable(name).or(() -> unfitForTheUsersWord(newest));
    if (problem.isPresent()) {
      return new Full(problem.get());
    }
    return new Increment(
        newest.point(),
        List.of(new BitmapUse(0, name)),
        0,
        Optional.empty(),
        facts.size(),
        "bitmap %s recorded every change since point %s, as --bitmap says"
            .formatted(name, newest.point()),
        List.of(
            "disk %s: nothing but your word says that bitmap %s holds every change since point %s"
                .formatted(facts.disk(), name, newest.point())));
  }

  /** Why a user's bitmap can't be used; empty if it can. A disabled one may be what they mean. */
  private Optional<String> unusable(String name) {
    Optional<BitmapFact> bitmap = facts.layers().getFirst().bitmap(name);
    if (bitmap.isEmpty()) {
      return Optional.of("bitmap %s is not in the image".formatted(name));
    }
    return switch (bitmap.get().state()) {
      case IN_USE -> Optional.of("bitmap %s is marked in use".formatted(name));
      case INCONSISTENT -> Optional.of("bitmap %s is damaged".formatted(name));
      case RECORDING, DISABLED -> Optional.empty();
    };
  }

  private Optional<String> unfitForTheUsersWord(ParentFacts newest) {
    if (newest.chainProblem().isPresent()) {
      return Optional.of(
          "point %s can't be built upon: %s"
              .formatted(newest.point(), newest.chainProblem().get()));
    }
    if (newest.record().source().snapshot().isPresent() || facts.reading().isPresent()) {
      return Optional.of("a bitmap of the user's own says nothing about internal snapshots");
    }
    if (newest.record().virtualSize() != facts.size()) {
      return Optional.of(
          "the disk was resized from %d to %d bytes since point %s"
              .formatted(newest.record().virtualSize(), facts.size(), newest.point()));
    }
    return changeBelow(0, newest);
  }
}
