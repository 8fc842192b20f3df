package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.L2Entry;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * What one round of a repair does, decided from what a check found. A round holds only steps that
 * don't rely on each other's outcome; behind it the image is checked again, and the next round
 * decided. The order of rounds: entries that hide clusters from counting, refcounts, COPIED flags,
 * which say what refcounts are, and last the header's bits.
 *
 * @param steps in the order in which they are done
 */
record RepairPlan(List<Repair> steps) {
  private static final RepairPlan NOTHING = new RepairPlan(List.of());
  private static final long COPIED = 1L << 63;
  private static final long LOW_32 = 0xffff_ffffL;

  RepairPlan {
    steps = List.copyOf(steps);
  }

  boolean isEmpty() {
    return steps.isEmpty();
  }

  /** Whether the round writes the refcount structure anew, and does nothing else. */
  boolean isRebuild() {
    return !steps.isEmpty() && steps.getFirst() instanceof Repair.Rebuild;
  }

  /** How many COPIED flags the round puts right. */
  long flags() {
    return steps.stream()
        .filter(step -> step instanceof Repair.SetEntry set && set.isFlag())
        .count();
  }

  /**
   * Decides a round.
   *
   * @param writable tells of a table entry whether nothing but its table is in its cluster
   * @param brokenSnapshots whether the snapshot table has to be written anew
   */
  static RepairPlan of(
      RepairMode mode,
      Header header,
      Diagnosis diagnosis,
      CheckReport report,
      Predicate<Finding.TableEntry> writable,
      boolean brokenSnapshots) {
    List<Repair> steps =
        mode == RepairMode.ALL
            ? all(header, diagnosis, writable, brokenSnapshots)
            : leaks(diagnosis, report, writable);
    if (!steps.isEmpty()) {
      return new RepairPlan(steps);
    }
    return report.corruptions() == 0 && report.checkErrors() == 0 ? marks(header) : NOTHING;
  }

  private static List<Repair> all(
      Header header,
      Diagnosis diagnosis,
      Predicate<Finding.TableEntry> writable,
      boolean brokenSnapshots) {
    List<Repair> steps = entries(header, diagnosis, writable);
    if (!steps.isEmpty()) {
      return steps;
    }
    if (!diagnosis.hasUncounted() && (diagnosis.needsRebuild() || brokenSnapshots)) {
      return List.of(new Repair.Rebuild(brokenSnapshots));
    }
    for (Finding.WrongRefcount wrong : diagnosis.wrongRefcounts()) {
      if (wrong.severity() == Finding.Severity.CORRUPTION) {
        steps.add(new Repair.RaiseRefcount(wrong));
      }
    }
    lower(diagnosis, steps);
    return steps.isEmpty() ? flags(diagnosis, writable) : steps;
  }

  private static List<Repair> leaks(
      Diagnosis diagnosis, CheckReport report, Predicate<Finding.TableEntry> writable) {
    List<Repair> steps = new ArrayList<>();
    lower(diagnosis, steps);
    boolean onlyFlags =
        report.checkErrors() == 0 && report.corruptions() == diagnosis.wrongFlags().size();
    return steps.isEmpty() && onlyFlags ? flags(diagnosis, writable) : steps;
  }

  private static void lower(Diagnosis diagnosis, List<Repair> steps) {
    if (diagnosis.hasUncounted()) {
      return;
    }
    for (Finding.WrongRefcount wrong : diagnosis.wrongRefcounts()) {
      if (wrong.severity() == Finding.Severity.LEAK) {
        steps.add(new Repair.LowerRefcount(wrong));
      }
    }
  }

  private static List<Repair> flags(Diagnosis diagnosis, Predicate<Finding.TableEntry> writable) {
    List<Repair> steps = new ArrayList<>();
    for (Finding.WrongCopiedFlag flag : diagnosis.wrongFlags()) {
      Finding.TableEntry entry = flag.entry();
      if (writable.test(entry)) {
        long word = flag.refcountIsOne() ? entry.word() | COPIED : entry.word() & ~COPIED;
        steps.add(new Repair.SetEntry(flag.what(), entry, word, entry.bitmap()));
      }
    }
    return steps;
  }

  private static List<Repair> entries(
      Header header, Diagnosis diagnosis, Predicate<Finding.TableEntry> writable) {
    List<Repair> steps = new ArrayList<>();
    for (Finding finding : diagnosis.entryFaults()) {
      Finding.TableEntry entry = Diagnosis.entryOf(finding);
      if (writable.test(entry)) {
        steps.add(mended(header, finding, entry));
      }
    }
    return steps;
  }

  private static Repair mended(Header header, Finding finding, Finding.TableEntry entry) {
    long word = entry.word();
    return switch (finding) {
      case Finding.ReservedBits bits ->
          new Repair.SetEntry(bits.what(), entry, word & ~bits.reserved(), entry.bitmap());
      case Finding.CopiedFlagOfCompressed flag ->
          new Repair.SetEntry(flag.what(), entry, word & ~COPIED, entry.bitmap());
      case Finding.BitmapOfCompressed bitmap -> new Repair.SetEntry(bitmap.what(), entry, word, 0);
      case Finding.UnalignedPreallocation cluster ->
          header.geometry().extendedL2()
              ? new Repair.SetEntry(cluster.what(), entry, 0, entry.bitmap() & ~LOW_32)
              : new Repair.SetEntry(cluster.what(), entry, L2Entry.ZERO_PLAIN.word(), 0);
      default -> throw new IllegalArgumentException(finding.description());
    };
  }

  private static RepairPlan marks(Header header) {
    FeatureBits features = header.features();
    FeatureBits clean = features.without(Feature.DIRTY).without(Feature.CORRUPT);
    return clean.equals(features) ? NOTHING : new RepairPlan(List.of(new Repair.ClearMarks(clean)));
  }
}
