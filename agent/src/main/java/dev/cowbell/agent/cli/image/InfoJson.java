package dev.cowbell.agent.cli.image;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.SnapshotEntry;
import java.io.IOException;
import java.util.List;
import java.util.Locale;

/** The parts of {@code image info --json} that only qcow2 images have, with qemu-img's keys. */
final class InfoJson {
  private static final long NANOS = 1_000_000_000;

  private InfoJson() {}

  static void snapshots(JsonGenerator json, List<SnapshotEntry> snapshots) throws IOException {
    json.writeArrayFieldStart("snapshots");
    for (SnapshotEntry snapshot : snapshots) {
      json.writeStartObject();
      json.writeStringField("id", snapshot.id());
      json.writeStringField("name", snapshot.name());
      json.writeNumberField("vm-state-size", snapshot.vmStateSize());
      json.writeNumberField("date-sec", snapshot.dateSec());
      json.writeNumberField("date-nsec", snapshot.dateNsec());
      json.writeNumberField("vm-clock-sec", snapshot.vmClockNsec() / NANOS);
      json.writeNumberField("vm-clock-nsec", snapshot.vmClockNsec() % NANOS);
      if (snapshot.icount().isPresent() && snapshot.icount().getAsLong() != -1) {
        json.writeNumberField("icount", snapshot.icount().getAsLong());
      }
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  static void data(JsonGenerator json, ImageFacts.Qcow2 qcow2) throws IOException {
    Header header = qcow2.header();
    json.writeStringField("compat", qcow2.compat());
    json.writeStringField(
        "compression-type", header.compressionType().name().toLowerCase(Locale.ROOT));
    json.writeNumberField("refcount-bits", header.refcountWidth().bits());
    if (qcow2.isVersion3()) {
      json.writeBooleanField("lazy-refcounts", header.features().has(Feature.LAZY_REFCOUNTS));
      json.writeBooleanField("corrupt", header.features().has(Feature.CORRUPT));
      json.writeBooleanField("extended-l2", header.features().has(Feature.EXTENDED_L2));
    }
    if (header.features().has(Feature.EXTERNAL_DATA_FILE)) {
      json.writeStringField("data-file", qcow2.head().dataFile().orElse(""));
      json.writeBooleanField("data-file-raw", header.features().has(Feature.RAW_EXTERNAL_DATA));
    }
    if (qcow2.isEncrypted()) {
      json.writeObjectFieldStart("encrypt");
      json.writeStringField("format", header.cryptMethod().name().toLowerCase(Locale.ROOT));
      json.writeEndObject();
    }
    if (!qcow2.bitmaps().isEmpty()) {
      bitmaps(json, qcow2.bitmaps());
    }
  }

  private static void bitmaps(JsonGenerator json, List<BitmapInfo> bitmaps) throws IOException {
    json.writeArrayFieldStart("bitmaps");
    for (BitmapInfo bitmap : bitmaps) {
      json.writeStartObject();
      json.writeStringField("name", bitmap.name());
      json.writeNumberField("granularity", bitmap.granularity());
      json.writeArrayFieldStart("flags");
      for (String flag : flags(bitmap)) {
        json.writeString(flag);
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  /** A bitmap's flags in qemu-img's words. */
  static List<String> flags(BitmapInfo bitmap) {
    if (bitmap.inUse()) {
      return bitmap.enabled() ? List.of("in-use", "auto") : List.of("in-use");
    }
    return bitmap.enabled() ? List.of("auto") : List.of();
  }
}
