package dev.cowbell.agent.prune;

import dev.cowbell.agent.digests.DigestsMerge;
import dev.cowbell.agent.observe.CancelledException;
import dev.cowbell.agent.observe.Progress.Phase;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.ChainHealth;
import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.DigestsRecord;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.DiskRecord.Counts;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.Lease;
import dev.cowbell.agent.repository.OverlayRecord;
import dev.cowbell.agent.repository.OverlayRecord.Successor;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoredChain;
import dev.cowbell.agent.repository.StoredManifest;
import dev.cowbell.agent.repository.StoredOverlay;
import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.qcow2.overlay.MergePlan;
import dev.cowbell.qcow2.overlay.MergeSink;
import dev.cowbell.qcow2.overlay.OverlayCancelledException;
import dev.cowbell.qcow2.overlay.OverlayDamage;
import dev.cowbell.qcow2.overlay.OverlayExpectation;
import dev.cowbell.qcow2.overlay.OverlayIdentity;
import dev.cowbell.qcow2.overlay.OverlayMerge;
import dev.cowbell.qcow2.overlay.OverlayMonitor;
import dev.cowbell.qcow2.overlay.OverlaySummary;
import dev.cowbell.qcow2.overlay.OverlayVerifier;
import dev.cowbell.qcow2.overlay.Sha256;
import dev.cowbell.qcow2.overlay.WrittenOverlay;
import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectUpload;
import dev.cowbell.storage.Precondition;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Puts a merged overlay in the place of a point's. Before it does, the point's manifest names both;
 * afterwards only the new one, with the shorter chain. At every moment in between the point reads
 * the same, whichever of the two a reader finds, and upon whichever parent.
 */
final class ChainMerger {

  private final Repository repository;
  private final PruneSettings settings;
  private final CodecPool pool;

  ChainMerger(Repository repository, PruneSettings settings, CodecPool pool) {
    this.repository = repository;
    this.settings = settings;
    this.pool = pool;
  }

  /** What a merge would cost now. */
  MergeCost cost(Catalogue catalogue, DiskMerge merge) throws IOException {
    return MergeCost.of(open(catalogue, merge).plan);
  }

  private record Opened(
      StoredManifest stored,
      DiskRecord record,
      List<DiskChain.Link> merged,
      StoredChain chain,
      OverlayMerge merge,
      MergePlan plan) {

    StoredOverlay overlay(int number) {
      return (StoredOverlay) chain.chain().overlays().get(number).source();
    }
  }

  private Opened open(Catalogue catalogue, DiskMerge merge) throws IOException {
    StoredManifest stored =
        catalogue.all().stream()
            .filter(s -> s.manifest().point().equals(merge.target()))
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("no point " + merge.target()));
    DiskChain links = catalogue.chain(stored.manifest(), merge.disk());
    int count = 0;
    while (count < links.length()
        && !Optional.of(links.links().get(count).point()).equals(merge.parent())) {
      count++;
    }
    StoredChain chain = StoredChain.open(repository.store(), links.links());
    OverlayIdentity identity =
        new OverlayIdentity(
            stored.manifest().repository().toString(),
            stored.manifest().vm().value(),
            merge.disk().value(),
            merge.target().value());
    OverlayMerge overlays =
        new OverlayMerge(chain.chain(), count, merge.parent().map(Layout::overlayName), identity);
    return new Opened(
        stored,
        links.top().record(),
        links.links().subList(0, count),
        chain,
        overlays,
        overlays.plan(settings.limits()));
  }

  /**
   * Merges.
   *
   * @return what it was estimated to cost
   * @throws DamagedObjectException if something of the chain is damaged; if nothing was replaced
   *     yet, nothing has changed
   */
  MergeCost run(Catalogue catalogue, DiskMerge merge, Lease lease) throws IOException {
    Opened opened = open(catalogue, merge);
    MergePlan plan = opened.plan;
    ObjectKey key = opened.record.overlay().key();
    ETag present = opened.overlay(0).etag();
    try (Phase phase =
            settings
                .progress()
                .begin(merge.disk() + ": merging " + merge.target(), plan.resultBytes());
        ObjectUpload upload =
            repository
                .store()
                .begin(
                    key,
                    plan.spec().headLength(),
                    Precondition.ifMatch(present),
                    plan.resultBytes() + (plan.resultBytes() >> 4))) {
      List<WrittenOverlay> written = new ArrayList<>();
      opened.chain.read(
          () -> written.add(opened.merge.write(plan, sink(opened, upload), pool, monitor(phase))));
      settings.moments().reached(PruneMoment.MERGED);
      replace(opened, merge, written.getFirst(), upload, lease);
    } catch (OverlayCancelledException e) {
      throw new CancelledException();
    }
    return MergeCost.of(plan);
  }

  private static MergeSink sink(Opened opened, ObjectUpload upload) {
    return new MergeSink() {
      @Override
      public void append(ByteBuffer body) throws IOException {
        upload.append(body);
      }

      @Override
      public void appendCopy(int overlay, long at, long length) throws IOException {
        StoredOverlay source = opened.overlay(overlay);
        upload.appendCopy(source.key(), at, length, source.etag());
      }
    };
  }

  private void replace(
      Opened opened, DiskMerge merge, WrittenOverlay written, ObjectUpload upload, Lease lease)
      throws IOException {
    OverlaySummary summary = written.summary();
    OverlayRecord old = opened.record.overlay();
    List<Successor> successors = new ArrayList<>(old.successors());
    successors.add(
        new Successor(
            summary.size(),
            summary.clusterSize(),
            summary.headDigest().hex(),
            merge.parent(),
            new Counts(summary.dataClusters(), summary.zeroClusters(), summary.changedBytes())));
    lease.check();
    Optional<DigestsRecord> digests =
        new DigestsMerge(repository.store(), opened.stored.manifest().repository())
            .run(opened.stored.manifest().vm(), merge.disk(), opened.merged, merge.parent());
    settings.moments().reached(PruneMoment.DIGESTED);
    lease.check();
    StoredManifest announced =
        replace(
            opened.stored,
            opened
                .record
                .stored(
                    opened.record.parent(), old.withSuccessors(successors), opened.record.counts())
                .withDigests(digests),
            lease);
    settings.moments().reached(PruneMoment.ANNOUNCED);
    lease.check();
    ObjectInfo info = upload.commit(written.head());
    settings.moments().reached(PruneMoment.REPLACED);
    OverlayRecord merged = old.replacedBy(successors.getLast(), info);
    requireWhole(merged, successors.getLast().counts());
    lease.check();
    replace(
        announced,
        opened
            .record
            .stored(merge.parent(), merged, successors.getLast().counts())
            .withDigests(digests),
        lease);
    settings.moments().reached(PruneMoment.UPDATED);
    if (digests.isEmpty()) {
      repository
          .store()
          .delete(
              List.of(Layout.digests(opened.stored.manifest().vm(), merge.disk(), merge.target())));
    }
  }

  private StoredManifest replace(StoredManifest stored, DiskRecord disk, Lease lease)
      throws IOException {
    return repository.replace(stored, stored.manifest().withDisk(disk, lease.epoch()));
  }

  /**
   * Nothing goes before what takes its place is there: with all of its tables, and with frames of
   * every stretch that the store copied by itself.
   */
  private void requireWhole(OverlayRecord overlay, Counts counts) throws IOException {
    OverlayExpectation expected =
        new OverlayExpectation(
            overlay.size(),
            Sha256.ofHex(overlay.headDigest()),
            Optional.empty(),
            counts.dataClusters(),
            counts.zeroClusters());
    List<OverlayDamage> damage =
        new OverlayVerifier(pool)
            .sample(StoredOverlay.find(repository.store(), overlay), expected, OverlayMonitor.NONE);
    if (!damage.isEmpty()) {
      throw new DamagedObjectException(
          overlay.key(), "is not what was written when it was merged: " + damage.getFirst());
    }
  }

  /**
   * Finds out which of the overlays that a manifest names is there, and says so in the manifest. A
   * merge that was begun and given up elsewhere can't go on after this: its upload is cleared, and
   * the manifest is another version than it knows.
   *
   * @throws DamagedObjectException if a merged overlay is there and damaged; nothing is changed
   *     then
   */
  StoredManifest settle(StoredManifest stored, DiskRecord disk, Lease lease) throws IOException {
    OverlayRecord overlay = disk.overlay();
    if (repository.store().url().startsWith("s3:")) {
      // a directory looks at the precondition while it commits; S3 only before
      repository.store().sweepUploads(overlay.key().value(), Duration.ZERO);
    }
    DiskRecord present = ChainHealth.present(repository.store(), disk);
    if (!present.equals(disk)) {
      requireWhole(present.overlay(), present.counts());
      return replace(stored, present, lease);
    }
    return stored.manifest().epoch() == lease.epoch() ? stored : replace(stored, disk, lease);
  }

  private OverlayMonitor monitor(Phase phase) {
    return new OverlayMonitor() {
      @Override
      public void advance(long bytes) {
        phase.advance(bytes);
      }

      @Override
      public boolean isCancelled() {
        return settings.cancellation().isRequested();
      }
    };
  }
}
