package dev.cowbell.agent.repository;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.agent.repository.DiskRecord.Counts;
import dev.cowbell.agent.repository.SourceRecord.BackingIdentity;
import dev.cowbell.agent.repository.SourceRecord.SnapshotIdentity;
import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** Manifests as documents. */
public final class ManifestCodec {

  private static final int MAX_WORD = 256;
  private static final int MAX_KEY = 900;

  private ManifestCodec() {}

  /** The document for a manifest. */
  public static byte[] encode(Manifest manifest) {
    ObjectNode json =
        DocumentFormat.begin()
            .put("repository", manifest.repository().toString())
            .put("vm", manifest.vm().value())
            .put("point", manifest.point().value())
            .put("time", manifest.time().toString())
            .put("kind", manifest.kind().word())
            .put("consistency", manifest.consistency().word())
            .put("pinned", manifest.pinned())
            .put("agent", manifest.agent())
            .put("host", manifest.host());
    ObjectNode labels = json.putObject("labels");
    manifest.labels().forEach(labels::put);
    ArrayNode disks = json.putArray("disks");
    manifest.disks().forEach(disk -> encode(disk, disks.addObject()));
    return SealedJson.seal(json);
  }

  private static void encode(DiskRecord disk, ObjectNode json) {
    json.put("name", disk.name().value());
    json.put("virtualSize", disk.virtualSize());
    disk.parent().ifPresent(parent -> json.put("parent", parent.value()));
    json.put("reason", disk.reason());
    OverlayRecord overlay = disk.overlay();
    json.putObject("overlay")
        .put("key", overlay.key().value())
        .put("size", overlay.size())
        .put("etag", overlay.etag().value())
        .put("clusterSize", overlay.clusterSize())
        .put("headDigest", overlay.headDigest())
        .put("bodyDigest", overlay.bodyDigest());
    json.putObject("counts")
        .put("dataClusters", disk.counts().dataClusters())
        .put("zeroClusters", disk.counts().zeroClusters())
        .put("changedBytes", disk.counts().changedBytes());
    disk.tracking()
        .ifPresent(tracking ->
            json.putObject("tracking")
                .put("bitmap", tracking.bitmap())
                .put("granularity", tracking.granularity()));
    encode(disk.source(), json.putObject("source"));
  }

  private static void encode(SourceRecord source, ObjectNode json) {
    json.put("path", source.path());
    json.put("format", source.format());
    source.encryption().ifPresent(encryption -> json.put("encryption", encryption));
    source
        .snapshot()
        .ifPresent(snapshot ->
            json.putObject("snapshot")
                .put("id", snapshot.id())
                .put("name", snapshot.name())
                .put("date", snapshot.date().toString())
                .put("vmClockNanos", snapshot.vmClockNanos()));
    ArrayNode backing = json.putArray("backing");
    for (BackingIdentity file : source.backing()) {
      backing
          .addObject()
          .put("path", file.path())
          .put("size", file.size())
          .put("modified", file.modified().toString());
    }
  }

  /**
   * The manifest in a document.
   *
   * @param key where the document was found
   * @throws DamagedObjectException if the document is not what was once written
   * @throws NewerFormatException if a later Cowbell wrote it
   */
  public static Manifest decode(ObjectKey key, byte[] document) throws IOException {
    return DocumentFormat.read(key, document).checked(ManifestCodec::manifest);
  }

  private static Manifest manifest(JsonFields fields) throws DamagedObjectException {
    PointId point = fields.value("point", MAX_WORD, PointId::new);
    VmName vm = fields.value("vm", MAX_WORD, VmName::new);
    Manifest manifest =
        new Manifest(
            fields.value("repository", MAX_WORD, UUID::fromString),
            vm,
            point,
            fields.value("time", MAX_WORD, Instant::parse),
            fields.value("consistency", MAX_WORD, Consistency::of),
            labels(fields.object("labels")),
            fields.truth("pinned"),
            fields.text("agent", MAX_WORD),
            fields.text("host", MAX_WORD),
            fields.objects("disks", Manifest.MAX_DISKS, ManifestCodec::disk));
    if (!fields.text("kind", MAX_WORD).equals(manifest.kind().word())) {
      throw new IllegalArgumentException("the kind of the point is not that of its disks");
    }
    return manifest;
  }

  private static Map<String, String> labels(JsonFields fields) throws DamagedObjectException {
    Map<String, String> labels = new LinkedHashMap<>();
    for (String name : fields.names(Manifest.MAX_LABELS)) {
      labels.put(name, fields.text(name, Manifest.MAX_LABEL_VALUE));
    }
    return labels;
  }

  private static DiskRecord disk(JsonFields fields) throws DamagedObjectException {
    return new DiskRecord(
        fields.value("name", MAX_WORD, DiskName::new),
        fields.integer("virtualSize", 0, Long.MAX_VALUE),
        fields.has("parent")
            ? Optional.of(fields.value("parent", MAX_WORD, PointId::new))
            : Optional.empty(),
        fields.text("reason", DiskRecord.MAX_REASON),
        fields.object("overlay").checked(ManifestCodec::overlay),
        fields.object("counts").checked(ManifestCodec::counts),
        fields.has("tracking")
            ? Optional.of(fields.object("tracking").checked(ManifestCodec::tracking))
            : Optional.empty(),
        fields.object("source").checked(ManifestCodec::source));
  }

  private static OverlayRecord overlay(JsonFields fields) throws DamagedObjectException {
    return new OverlayRecord(
        fields.value("key", MAX_KEY, ObjectKey::new),
        fields.integer("size", 0, Long.MAX_VALUE),
        fields.value("etag", MAX_WORD, ETag::new),
        (int) fields.integer("clusterSize", OverlayRecord.MIN_CLUSTER, OverlayRecord.MAX_CLUSTER),
        fields.text("headDigest", MAX_WORD),
        fields.text("bodyDigest", MAX_WORD));
  }

  private static Counts counts(JsonFields fields) throws DamagedObjectException {
    return new Counts(
        fields.integer("dataClusters", 0, Long.MAX_VALUE),
        fields.integer("zeroClusters", 0, Long.MAX_VALUE),
        fields.integer("changedBytes", 0, Long.MAX_VALUE));
  }

  private static TrackingRecord tracking(JsonFields fields) throws DamagedObjectException {
    return new TrackingRecord(
        fields.text("bitmap", TrackingRecord.MAX_NAME),
        fields.integer(
            "granularity", TrackingRecord.MIN_GRANULARITY, TrackingRecord.MAX_GRANULARITY));
  }

  private static SourceRecord source(JsonFields fields) throws DamagedObjectException {
    return new SourceRecord(
        fields.text("path", SourceRecord.MAX_PATH),
        fields.text("format", SourceRecord.MAX_FORMAT),
        fields.has("encryption")
            ? Optional.of(fields.text("encryption", SourceRecord.MAX_ENCRYPTION))
            : Optional.empty(),
        fields.has("snapshot")
            ? Optional.of(fields.object("snapshot").checked(ManifestCodec::snapshot))
            : Optional.empty(),
        fields.objects("backing", SourceRecord.MAX_BACKING, ManifestCodec::backing));
  }

  private static SnapshotIdentity snapshot(JsonFields fields) throws DamagedObjectException {
    return new SnapshotIdentity(
        fields.text("id", SnapshotIdentity.MAX_TEXT),
        fields.text("name", SnapshotIdentity.MAX_TEXT),
        fields.value("date", MAX_WORD, Instant::parse),
        fields.integer("vmClockNanos", Long.MIN_VALUE, Long.MAX_VALUE));
  }

  private static BackingIdentity backing(JsonFields fields) throws DamagedObjectException {
    return new BackingIdentity(
        fields.text("path", SourceRecord.MAX_PATH),
        fields.integer("size", 0, Long.MAX_VALUE),
        fields.value("modified", MAX_WORD, Instant::parse));
  }
}
