package dev.cowbell.agent.backup;

import dev.cowbell.agent.backup.BackupPlan.DiskPlan;
import dev.cowbell.agent.digests.DigestsWriter;
import dev.cowbell.agent.observe.CancelledException;
import dev.cowbell.agent.observe.Progress.Phase;
import dev.cowbell.agent.repository.DigestsRecord;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.DiskRecord.Counts;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.OverlayRecord;
import dev.cowbell.agent.repository.PointKind;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.TrackingRecord;
import dev.cowbell.agent.source.OfflineImage;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.qcow2.overlay.ExtentCursor;
import dev.cowbell.qcow2.overlay.OverlayCancelledException;
import dev.cowbell.qcow2.overlay.OverlayExtents;
import dev.cowbell.qcow2.overlay.OverlayIdentity;
import dev.cowbell.qcow2.overlay.OverlayMonitor;
import dev.cowbell.qcow2.overlay.OverlaySizing;
import dev.cowbell.qcow2.overlay.OverlaySpec;
import dev.cowbell.qcow2.overlay.OverlaySummary;
import dev.cowbell.qcow2.overlay.OverlayWriter;
import dev.cowbell.qcow2.overlay.Sha256;
import dev.cowbell.qcow2.overlay.WrittenOverlay;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectUpload;
import dev.cowbell.storage.Precondition;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** Copies one disk's planned extents into an overlay under its final key. */
final class DiskCopy {

  private final Repository repository;
  private final BackupSettings settings;
  private final BackupPlan plan;
  private final DiskPlan disk;

  DiskCopy(Repository repository, BackupSettings settings, BackupPlan plan, DiskPlan disk) {
    this.repository = repository;
    this.settings = settings;
    this.plan = plan;
    this.disk = disk;
  }

  /**
   * Reads, compresses and uploads.
   *
   * @param tracking the bitmap that was added to the image
   * @return what the manifest has to say
   */
  DiskRecord copy(OfflineImage image, Optional<TrackingRecord> tracking) throws IOException {
    GuestDisk content = image.content();
    ObjectKey key = Layout.overlay(plan.vm(), disk.disk(), plan.point());
    OverlaySpec spec = spec(image);
    try (CodecPool codecs = CodecPool.ofAllCores();
        Phase phase = settings.progress().begin(disk.disk() + ": copying", disk.copyBytes());
        ObjectUpload upload =
            repository
                .store()
                .begin(key, spec.headLength(), Precondition.IF_ABSENT, expectedLength());
        DigestsWriter digests =
            DigestsWriter.begin(
                repository.store(),
                Layout.digests(plan.vm(), disk.disk(), plan.point()),
                Precondition.IF_ABSENT,
                spec.identity(),
                disk.parent(),
                disk.size(),
                disk.copyBytes())) {
      WrittenOverlay written =
          new OverlayWriter(codecs)
              .write(
                  spec,
                  content,
                  extents(content),
                  upload::append,
                  monitor(phase),
                  Optional.of(digests));
      settings.moments().reached(Moment.UPLOADED);
      DigestsRecord digested = digests.commit();
      settings.moments().reached(Moment.DIGESTED);
      ObjectInfo info = upload.commit(written.head());
      return record(key, info, written.summary(), digested, tracking);
    } catch (OverlayCancelledException e) {
      throw new CancelledException();
    }
  }

  private OverlaySpec spec(OfflineImage image) {
    long size = image.content().size();
    return new OverlaySpec(
        size,
        disk.kind() == PointKind.FULL
            ? OverlaySizing.forFull(size, image.clusterSize())
            : OverlaySizing.forIncrement(size, disk.changes(), disk.granularity()).clusterSize(),
        disk.parent().map(Layout::overlayName),
        new OverlayIdentity(
            repository.descriptor().id().toString(),
            plan.vm().value(),
            disk.disk().value(),
            plan.point().value()));
  }

  private ExtentCursor extents(GuestDisk content) {
    return disk.kind() == PointKind.FULL
        ? OverlayExtents.full(content)
        : OverlayExtents.changed(content, disk.changes());
  }

  /** Incompressible data grows by its frames' headers; tables come on top. */
  private long expectedLength() {
    long copied = disk.copyBytes();
    return copied + copied / 16 + (64 << 20);
  }

  private OverlayMonitor monitor(Phase phase) {
    return new OverlayMonitor() {
      @Override
      public void advance(long guestBytes) {
        phase.advance(guestBytes);
      }

      @Override
      public boolean isCancelled() {
        return settings.cancellation().isRequested();
      }
    };
  }

  private DiskRecord record(
      ObjectKey key,
      ObjectInfo info,
      OverlaySummary summary,
      DigestsRecord digests,
      Optional<TrackingRecord> tracking)
      throws IOException {
    if (info.size() != summary.size()) {
      throw new IOException(
          "%s: the store has %d bytes of it, %d were sent"
              .formatted(key, info.size(), summary.size()));
    }
    return new DiskRecord(
        disk.disk(),
        disk.size(),
        disk.parent(),
        disk.verdict().reason(),
        new OverlayRecord(
            key,
            info.size(),
            info.etag(),
            summary.clusterSize(),
            summary.headDigest().hex(),
            summary.bodyDigest().map(Sha256::hex),
            List.of()),
        new Counts(summary.dataClusters(), summary.zeroClusters(), summary.changedBytes()),
        Optional.of(digests),
        tracking,
        disk.source());
  }
}
