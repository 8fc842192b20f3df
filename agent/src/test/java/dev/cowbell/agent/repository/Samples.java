package dev.cowbell.agent.repository;

import dev.cowbell.agent.repository.DiskRecord.Counts;
import dev.cowbell.agent.repository.SourceRecord.BackingIdentity;
import dev.cowbell.agent.repository.SourceRecord.SnapshotIdentity;
import dev.cowbell.storage.ETag;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** Manifests to test with. */
public final class Samples {

  public static final UUID REPOSITORY = UUID.fromString("0d7a2f5e-5d0c-4a8f-9d3b-0a1b2c3d4e5f");
  public static final VmName VM = new VmName("web");
  public static final DiskName VDA = new DiskName("vda");
  public static final PointId P1 = new PointId("20260101T000000Z-0001");
  public static final PointId P2 = new PointId("20260102T000000Z-0002");
  public static final PointId P3 = new PointId("20260103T000000Z-0003");
  private static final String DIGEST = "0123456789abcdef".repeat(4);

  private Samples() {}

  public static Manifest manifest(PointId point, DiskRecord... disks) {
    return new Manifest(
        REPOSITORY,
        VM,
        point,
        point.second(),
        Consistency.OFFLINE,
        Map.of("why", "before the upgrade", "ünï", "\"quoted\"\n"),
        true,
        "0.1.0",
        "host-1",
        List.of(disks));
  }

  public static Catalogue catalogue(Manifest... points) {
    return Catalogue.of(
        VM,
        java.util.Arrays.stream(points)
            .<Optional<Catalogue.Entry>>map(
                point -> Optional.of(new Catalogue.Known(new StoredManifest(point, new ETag("x")))))
            .toList());
  }

  public static DiskRecord disk(PointId point, Optional<PointId> parent) {
    return disk(VDA, point, parent);
  }

  public static DiskRecord disk(DiskName name, PointId point, Optional<PointId> parent) {
    return new DiskRecord(
        name,
        1L << 30,
        parent,
        "because",
        new OverlayRecord(
            Layout.overlay(VM, name, point), 4096, new ETag("e-1"), 65536, DIGEST, DIGEST),
        new Counts(3, 4, 7 * 65536),
        Optional.of(new DigestsRecord(2048)),
        Optional.of(new TrackingRecord("cowbell:" + point, 65536)),
        new SourceRecord(
            "/images/vda.qcow2",
            "qcow2",
            Optional.of("luks"),
            Optional.of(
                new SnapshotIdentity("1", "before", Instant.parse("2026-01-01T00:00:00.5Z"), 17)),
            List.of(new BackingIdentity("/images/base.qcow2", 99, Instant.EPOCH))));
  }
}
