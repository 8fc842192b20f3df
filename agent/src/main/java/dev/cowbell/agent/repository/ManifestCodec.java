package dev.cowbell.agent.repository;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.agent.repository.DiskRecord.Counts;
import dev.cowbell.agent.repository.OverlayRecord.Successor;
import dev.cowbell.agent.repository.SourceRecord.BackingIdentity;
import dev.cowbell.agent.repository.SourceRecord.SnapshotIdentity;
import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** Manifests as documents. */
public final class ManifestCodec {

  private static final int MAX_WORD = 256;
  private static final int MAX_KEY = 900;
  private static final int MAX_VOID = 1024;

  private ManifestCodec() {}

  /** The document for a manifest. */
  public static byte[] encode(Manifest manifest) {
    ObjectNode json =
        DocumentFormat.begin(formatOf(manifest))
            .put("repository", manifest.repository().toString())
            .put("vm", manifest.vm().value())
            .put("point", manifest.point().value())
            .put("time", manifest.time().toString())
            .put("kind", manifest.kind().word())
            .put("consistency", manifest.consistency().word())
            .put("pinned", manifest.pinned())
            .put("agent", manifest.agent())
            .put("host", manifest.host());
    if (manifest.epoch() != 0) {
      json.put("epoch", manifest.epoch());
    }
    if (manifest.dropped()) {
      json.put("dropped", true);
    }
    ObjectNode labels = json.putObject("labels");
    manifest.labels().forEach(labels::put);
    ArrayNode disks = json.putArray("disks");
    manifest.disks().forEach(disk -> encode(disk, disks.addObject()));
    return SealedJson.seal(json);
  }

  /** A reader that knows nothing of merges must not take part in what it can't see. */
  private static int formatOf(Manifest manifest) {
    boolean merged =
        manifest.disks().stream()
            .map(DiskRecord::overlay)
            .anyMatch(o -> o.bodyDigest().isEmpty() || !o.successors().isEmpty());
    return merged || manifest.dropped() ? DocumentFormat.MERGES : DocumentFormat.BASIC;
  }

  private static void encode(DiskRecord disk, ObjectNode json) {
    json.put("name", disk.name().value());
    json.put("virtualSize", disk.virtualSize());
    disk.parent().ifPresent(parent -> json.put("parent", parent.value()));
    json.put("reason", disk.reason());
    OverlayRecord overlay = disk.overlay();
    encode(overlay, json.putObject("overlay"));
    encode(disk.counts(), json.putObject("counts"));
    disk.digests().ifPresent(digests -> json.putObject("digests").put("size", digests.size()));
    disk.tracking()
        .ifPresent(tracking ->
            json.putObject("tracking")
                .put("bitmap", tracking.bitmap())
                .put("granularity", tracking.granularity()));
    encode(disk.source(), json.putObject("source"));
  }

  private static void encode(OverlayRecord overlay, ObjectNode json) {
    json.put("key", overlay.key().value())
        .put("size", overlay.size())
        .put("etag", overlay.etag().value())
        .put("clusterSize", overlay.clusterSize())
        .put("headDigest", overlay.headDigest());
    overlay.bodyDigest().ifPresent(digest -> json.put("bodyDigest", digest));
    if (!overlay.successors().isEmpty()) {
      ArrayNode successors = json.putArray("successors");
      for (Successor successor : overlay.successors()) {
        ObjectNode entry =
            successors
                .addObject()
                .put("size", successor.size())
                .put("clusterSize", successor.clusterSize())
                .put("headDigest", successor.headDigest());
        successor.parent().ifPresent(parent -> entry.put("parent", parent.value()));
        encode(successor.counts(), entry.putObject("counts"));
      }
    }
  }

  private static void encode(Counts counts, ObjectNode json) {
    json.put("dataClusters", counts.dataClusters())
        .put("zeroClusters", counts.zeroClusters())
        .put("changedBytes", counts.changedBytes());
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

  /** The document that takes a point's place so that its manifest can't come to be any more. */
  static byte[] encodeVoid(UUID repository, VmName vm, PointId point) {
    return SealedJson.seal(
        DocumentFormat.begin(DocumentFormat.MERGES)
            .put("repository", repository.toString())
            .put("vm", vm.value())
            .put("point", point.value())
            .put("void", true));
  }

  /** Whether a document is one of {@link #encodeVoid}. */
  static boolean isVoid(ObjectKey key, byte[] document) throws IOException {
    if (document.length > MAX_VOID) {
      return false;
    }
    JsonFields fields = DocumentFormat.read(key, document);
    return fields.has("void") && fields.truth("void");
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
            fields.objects("disks", Manifest.MAX_DISKS, ManifestCodec::disk),
            fields.has("epoch") ? fields.integer("epoch", 1, Long.MAX_VALUE) : 0,
            fields.has("dropped") && fields.truth("dropped"));
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
        parent(fields),
        fields.text("reason", DiskRecord.MAX_REASON),
        fields.object("overlay").checked(ManifestCodec::overlay),
        fields.object("counts").checked(ManifestCodec::counts),
        fields.has("digests")
            ? Optional.of(fields.object("digests").checked(ManifestCodec::digests))
            : Optional.empty(),
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
        clusterSize(fields),
        fields.text("headDigest", MAX_WORD),
        fields.optionalText("bodyDigest", MAX_WORD),
        fields.has("successors")
            ? fields.objects("successors", OverlayRecord.MAX_SUCCESSORS, ManifestCodec::successor)
            : List.of());
  }

  private static Successor successor(JsonFields fields) throws DamagedObjectException {
    return new Successor(
        fields.integer("size", 0, Long.MAX_VALUE),
        clusterSize(fields),
        fields.text("headDigest", MAX_WORD),
        parent(fields),
        fields.object("counts").checked(ManifestCodec::counts));
  }

  private static int clusterSize(JsonFields fields) throws DamagedObjectException {
    return (int)
        fields.integer("clusterSize", OverlayRecord.MIN_CLUSTER, OverlayRecord.MAX_CLUSTER);
  }

  private static Optional<PointId> parent(JsonFields fields) throws DamagedObjectException {
    return fields.has("parent")
        ? Optional.of(fields.value("parent", MAX_WORD, PointId::new))
        : Optional.empty();
  }

  private static Counts counts(JsonFields fields) throws DamagedObjectException {
    return new Counts(
        fields.integer("dataClusters", 0, Long.MAX_VALUE),
        fields.integer("zeroClusters", 0, Long.MAX_VALUE),
        fields.integer("changedBytes", 0, Long.MAX_VALUE));
  }

  private static DigestsRecord digests(JsonFields fields) throws DamagedObjectException {
    return new DigestsRecord(fields.integer("size", 0, Long.MAX_VALUE));
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
