package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.compress.CodecPool;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Holds a stored overlay against its manifest, and lists all that is wrong with it. What can't be
 * read for other reasons (a store that is out of reach) is an {@link IOException}, no damage.
 */
public final class OverlayVerifier {
  private final CodecPool pool;

  /** A verifier that unpacks with a pool's threads. */
  public OverlayVerifier(CodecPool pool) {
    this.pool = pool;
  }

  /**
   * Verifies head, integrity table and all metadata, that every entry is possible, and the counts;
   * no data is read.
   *
   * @return empty if all is well
   */
  public List<OverlayDamage> metadata(OverlaySource source, OverlayExpectation expected)
      throws IOException {
    DamageList damages = new DamageList();
    OverlayReader overlay = open(source, expected, damages);
    if (overlay != null) {
      checkSeals(overlay, damages);
      FrameCursor frames = new FrameCursor(overlay, damages);
      boolean more = true;
      while (more) {
        more = frames.next();
      }
      checkCounts(frames, expected, damages);
    }
    return damages.toList();
  }

  /**
   * Verifies everything that {@link #metadata} does, and unpacks three frames of every few
   * megabytes of the object, the first and the last of them: what a store that copied ranges may
   * have done wrong to a whole range shows in these.
   *
   * @return empty if all is well
   * @throws OverlayCancelledException if the monitor asked for it
   */
  public List<OverlayDamage> sample(
      OverlaySource source, OverlayExpectation expected, OverlayMonitor monitor)
      throws IOException {
    DamageList damages = new DamageList();
    OverlayReader overlay = open(source, expected, damages);
    if (overlay != null) {
      checkSeals(overlay, damages);
      FrameCursor frames = new FrameCursor(overlay, damages);
      FrameSample sample = new FrameSample(source.size());
      while (frames.next()) {
        sample.offer(frames);
      }
      checkCounts(frames, expected, damages);
      sample.check(source, overlay.geometry().clusterSize(), monitor, damages);
    }
    return damages.toList();
  }

  /**
   * Verifies everything that {@link #metadata} does, and every byte: reads the whole object once,
   * and unpacks every cluster.
   *
   * @return empty if all is well
   * @throws OverlayCancelledException if the monitor asked for it
   */
  public List<OverlayDamage> data(
      OverlaySource source, OverlayExpectation expected, OverlayMonitor monitor)
      throws IOException {
    DamageList damages = new DamageList();
    OverlayReader overlay = open(source, expected, damages);
    if (overlay == null) {
      return damages.toList();
    }
    checkSeals(overlay, damages);
    FrameCursor frames = new FrameCursor(overlay, damages);
    Sha256 body;
    try (BodyScan scan =
        new BodyScan(source, overlay.geometry().clusterSize(), pool, monitor, damages)) {
      body = scan.run(overlay.isMerged() ? byPlace(overlay, frames, damages) : frames);
    }
    monitor.check();
    checkCounts(frames, expected, damages);
    if (expected.bodyDigest().isPresent() && !body.equals(expected.bodyDigest().get())) {
      damages.add(
          new OverlayDamage.Altered(
              "the SHA-256 of all behind the head is %s instead of %s"
                  .formatted(body, expected.bodyDigest().get())));
    }
    return damages.toList();
  }

  /** Has all entries of a merged overlay looked at before its frames are read as they lie. */
  private static FrameSequence byPlace(
      OverlayReader overlay, FrameCursor frames, DamageList damages) throws IOException {
    boolean more = true;
    while (more) {
      more = frames.next();
    }
    return new FramesByPlace(overlay, damages);
  }

  private static @Nullable OverlayReader open(
      OverlaySource source, OverlayExpectation expected, DamageList damages) throws IOException {
    if (source.size() != expected.size()) {
      damages.add(
          new OverlayDamage.Unreadable(
              "the object has %d bytes instead of %d".formatted(source.size(), expected.size())));
      return null;
    }
    try {
      return OverlayReader.open(source, Optional.of(expected.headDigest()), new MetadataCache());
    } catch (ImageException e) {
      damages.add(new OverlayDamage.Unreadable(String.valueOf(e.getMessage())));
      return null;
    }
  }

  /** L2 and L1 tables are found out when they are used; here it is about all others. */
  private static void checkSeals(OverlayReader overlay, DamageList damages) throws IOException {
    List<Seal> seals = overlay.blocks().table().seals();
    for (int i = 0; i < seals.size(); i++) {
      Seal.Kind kind = seals.get(i).kind();
      if (kind == Seal.Kind.L2_TABLES || kind == Seal.Kind.L1_TABLE) {
        continue;
      }
      try {
        overlay.blocks().block(i);
      } catch (ImageException e) {
        damages.add(new OverlayDamage.Altered(String.valueOf(e.getMessage())));
      }
    }
  }

  private static void checkCounts(
      FrameCursor frames, OverlayExpectation expected, DamageList damages) {
    if (damages.isEmpty()
        && (frames.dataClusters() != expected.dataClusters()
            || frames.zeroClusters() != expected.zeroClusters())) {
      damages.add(
          new OverlayDamage.Altered(
              "there are %d data and %d zero clusters instead of %d and %d"
                  .formatted(
                      frames.dataClusters(),
                      frames.zeroClusters(),
                      expected.dataClusters(),
                      expected.zeroClusters())));
    }
  }
}
