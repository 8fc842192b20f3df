package dev.cowbell.agent.verify;

import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.CancelledException;
import dev.cowbell.agent.observe.Progress.Phase;
import dev.cowbell.agent.repository.ChainHealth;
import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.DiskChain.Link;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.StoredChain;
import dev.cowbell.agent.repository.StoredOverlay;
import dev.cowbell.agent.verify.VerifyRequest.Level;
import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.qcow2.overlay.OverlayCancelledException;
import dev.cowbell.qcow2.overlay.OverlayChainDisk;
import dev.cowbell.qcow2.overlay.OverlayDamage;
import dev.cowbell.qcow2.overlay.OverlayExpectation;
import dev.cowbell.qcow2.overlay.OverlayMonitor;
import dev.cowbell.qcow2.overlay.OverlayTables;
import dev.cowbell.qcow2.overlay.OverlayVerifier;
import dev.cowbell.qcow2.overlay.Sha256;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** Checks single overlays, as deep as was asked for. */
final class OverlayCheck {

  /** What is read of a sampled overlay at a time, in guest bytes. */
  private static final int SAMPLE = 4 << 20;

  private final ObjectStore store;
  private final VerifyRequest request;
  private final CodecPool pool;
  private final Cancellation cancellation;

  OverlayCheck(
      ObjectStore store, VerifyRequest request, CodecPool pool, Cancellation cancellation) {
    this.store = store;
    this.request = request;
    this.pool = pool;
    this.cancellation = cancellation;
  }

  /**
   * What was found.
   *
   * @param problems everything wrong with the overlay
   * @param bytesRead of the object
   */
  record Result(List<String> problems, long bytesRead) {}

  Result check(Link link, Phase phase) throws IOException {
    StoredOverlay overlay;
    try {
      DiskRecord present = ChainHealth.present(store, link.record());
      overlay = StoredOverlay.find(store, present.overlay());
      List<String> problems = problems(new Link(link.point(), present), overlay, phase);
      return new Result(problems, overlay.bytesRead());
    } catch (DamagedObjectException e) {
      return new Result(List.of(e.problem()), 0);
    } catch (OverlayCancelledException e) {
      throw new CancelledException();
    }
  }

  private List<String> problems(Link link, StoredOverlay overlay, Phase phase) throws IOException {
    OverlayVerifier verifier = new OverlayVerifier(pool);
    OverlayExpectation expected = expectation(link.record());
    if (request.level() == Level.DATA && request.sample().isWhole()) {
      return texts(verifier.data(overlay, expected, monitor(phase)));
    }
    List<String> problems = texts(verifier.metadata(overlay, expected));
    if (problems.isEmpty() && request.level() == Level.DATA) {
      readSample(link);
    }
    return problems;
  }

  private static OverlayExpectation expectation(DiskRecord record) {
    return new OverlayExpectation(
        record.overlay().size(),
        Sha256.ofHex(record.overlay().headDigest()),
        record.overlay().bodyDigest().map(Sha256::ofHex),
        record.counts().dataClusters(),
        record.counts().zeroClusters());
  }

  private static List<String> texts(List<OverlayDamage> damages) {
    return damages.stream()
        .map(damage ->
            switch (damage) {
              case OverlayDamage.Lost(long offset, long length, String what) ->
                  "guest bytes %d to %d are lost: %s".formatted(offset, offset + length - 1, what);
              case OverlayDamage.Unreadable(String what) -> what;
              case OverlayDamage.Altered(String what) -> what;
            })
        .toList();
  }

  private OverlayMonitor monitor(Phase phase) {
    return new OverlayMonitor() {
      @Override
      public void advance(long bytes) {
        phase.advance(bytes);
      }

      @Override
      public boolean isCancelled() {
        return cancellation.isRequested();
      }
    };
  }

  /** Unpacks stretches chosen at random; each cluster's own checksum tells whether it is right. */
  private void readSample(Link link) throws IOException {
    StoredChain alone = StoredChain.open(store, List.of(link));
    ByteBuffer buffer = ByteBuffer.allocate(SAMPLE);
    OverlayTables tables = alone.chain().overlays().getFirst();
    long coverage = tables.geometry().l2Coverage();
    try (OverlayChainDisk disk = new OverlayChainDisk(alone.chain())) {
      for (long table = tables.nextTable(0); table >= 0; table = tables.nextTable(table + 1)) {
        long end = Math.min((table + 1) * coverage, disk.size());
        for (long at = table * coverage; at < end; at += SAMPLE) {
          if (request.sample().includes(link.record().overlay().key(), at)) {
            cancellation.check();
            long start = at;
            buffer.clear().limit((int) Math.min(SAMPLE, end - at));
            alone.read(() -> disk.read(start, buffer));
          }
        }
      }
    }
  }
}
