package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Repairs a qcow2 image as {@code qemu-img check -r} does. Nothing that the guest can read, now or
 * in a snapshot, is changed: data is never moved, and what is written anew lies where nothing
 * refers to. Goes in rounds of check, plan and execution until nothing is left that can be put
 * right. A crash at any time leaves an image that reads as before and can be repaired again.
 */
public final class ImageRepair {

  /** More rounds than any sound progress needs. */
  private static final int MAX_ROUNDS = 1000;

  /** A rebuilt structure makes the file longer, and so may need another one; not that often. */
  private static final int MAX_REBUILDS = 4;

  private final HostFile file;
  private final RepairMode mode;
  private final RepairListener listener;

  private ImageRepair(HostFile file, RepairMode mode, RepairListener listener) {
    this.file = file;
    this.mode = mode;
    this.listener = listener;
  }

  /**
   * Repairs an image; see {@link #repair(HostFile, RepairMode, RepairListener)}.
   *
   * @return the counts before and after
   */
  public static RepairReport repair(HostFile file, RepairMode mode) throws IOException {
    return repair(file, mode, RepairListener.NONE);
  }

  /**
   * Repairs an image.
   *
   * @param file open for writing, with nobody else using it; what is written is durable when this
   *     returns
   * @param listener hears of the findings before the repair, and of what is done
   * @return the counts before and after
   * @throws ImageException if the image is damaged so badly that it can't be checked; or if {@link
   *     RepairMode#LEAKS} is not enough, in which case nothing was written
   */
  public static RepairReport repair(HostFile file, RepairMode mode, RepairListener listener)
      throws IOException {
    try {
      return new ImageRepair(file, mode, listener).run();
    } catch (ImageException e) {
      throw e.in(file.name());
    }
  }

  /**
   * Makes an image with the dirty bit fit for writing: its refcounts are put right and the bit is
   * cleared. Does nothing to an image without the bit. To be called with the file locked for
   * writing, before anything else reads its metadata.
   *
   * @return whether anything had to be done
   * @throws CorruptImageException if the image is marked corrupt, and then nothing is written: that
   *     mark is only for a repair that somebody asked for; or if something remains that must not be
   *     written to
   */
  public static boolean recoverDirty(HostFile file) throws IOException {
    ImageHead head = Qcow2Image.readHead(file);
    if (!head.header().features().has(Feature.DIRTY)) {
      return false;
    }
    if (head.header().features().has(Feature.CORRUPT)) {
      throw new CorruptImageException(
              "the image is marked corrupt; repair it before anything is written to it")
          .in(file.name());
    }
    CheckReport after = repair(file, RepairMode.ALL).after();
    if (after.corruptions() > 0 || after.checkErrors() > 0) {
      throw new CorruptImageException(
              "the image was not closed (dirty bit), and of its damage %d corruptions can't be repaired"
                  .formatted(after.corruptions() + after.checkErrors()))
          .in(file.name());
    }
    return true;
  }

  private RepairReport run() throws IOException {
    CheckReport first = null;
    RepairPlan last = null;
    int rebuilds = 0;
    // Flags are judged by the refcounts, so the first check's verdict on them may not hold.
    long corruptions = 0;
    for (int round = 0; ; round++) {
      Diagnosis diagnosis = new Diagnosis(round == 0 ? listener : quiet());
      CheckReport report = check(diagnosis);
      if (first == null) {
        first = report;
        corruptions = report.corruptions() - diagnosis.flags();
      }
      RepairPlan plan = plan(diagnosis, report);
      rebuilds += plan.isRebuild() ? 1 : 0;
      boolean again = !plan.isRebuild() && plan.equals(last);
      if (plan.isEmpty() || again || round == MAX_ROUNDS || rebuilds > MAX_REBUILDS) {
        long fixed = Math.max(0, corruptions - report.corruptions());
        long leaksFixed = Math.max(0, first.leaks() - report.leaks());
        return new RepairReport(first, report, fixed, leaksFixed);
      }
      execute(plan, diagnosis, report);
      corruptions += plan.flags();
      last = plan;
    }
  }

  private CheckReport check(CheckListener findings) throws IOException {
    return ImageCheck.run(
        file,
        findings,
        new Scan() {
          @Override
          public boolean forRepair() {
            return mode == RepairMode.ALL;
          }
        });
  }

  private RepairPlan plan(Diagnosis diagnosis, CheckReport report) throws IOException {
    Header header = header();
    if (mode == RepairMode.LEAKS && diagnosis.needsMoreThanLowering()) {
      throw new CorruptImageException(
          "the refcount structure has to be rebuilt, which a repair of leaks alone does not do");
    }
    Map<Long, Long> tables = diagnosis.faultyTables(header.clusterBits());
    Set<Long> clean = tables.isEmpty() ? Set.of() : unshared(tables);
    Predicate<Finding.TableEntry> writable =
        entry -> clean.contains(entry.at() >>> header.clusterBits());
    boolean brokenSnapshots = mode == RepairMode.ALL && !snapshots(header).faults().isEmpty();
    return RepairPlan.of(mode, header, diagnosis, report, writable, brokenSnapshots);
  }

  /** Of clusters with tables, those that are used for nothing else. */
  private Set<Long> unshared(Map<Long, Long> tables) throws IOException {
    Set<Long> unshared = new HashSet<>();
    ImageCheck.run(
        file,
        quiet(),
        new Scan() {
          @Override
          public boolean forRepair() {
            return mode == RepairMode.ALL;
          }

          @Override
          public long limit(long max) {
            return Integer.MAX_VALUE;
          }

          @Override
          public void countedAll(ReferenceCounts counts) {
            tables.forEach((cluster, references) -> {
              if (counts.contains(cluster) && counts.get(cluster) == references) {
                unshared.add(cluster);
              }
            });
          }
        });
    return unshared;
  }

  private void execute(RepairPlan plan, Diagnosis diagnosis, CheckReport report)
      throws IOException {
    Header header = header();
    RepairExecutor executor = new RepairExecutor(file, header);
    executor.clearUnknownAutoclear(header);
    for (Repair step : plan.steps()) {
      listener.repairing(step);
    }
    if (plan.steps().getFirst() instanceof Repair.Rebuild rebuild) {
      new RefcountRebuild(file, header, snapshots(header), rebuild.withSnapshots(), listener)
          .run(report.imageEndOffset(), diagnosis.outside());
    } else {
      executor.run(plan.steps());
    }
  }

  private SnapshotTable snapshots(Header header) throws IOException {
    return SnapshotTable.read(new ImageReader(file), header, true);
  }

  private Header header() throws IOException {
    return ImageHead.decode(new ImageReader(file).read(0, 1 << Geometry.MAX_CLUSTER_BITS)).header();
  }

  private CheckListener quiet() {
    return new CheckListener() {
      @Override
      public void found(Finding finding) {}

      @Override
      public void between() throws IOException {
        listener.between();
      }
    };
  }
}
