package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Header;
import java.io.PrintStream;
import java.time.ZoneId;
import java.util.List;
import java.util.Locale;

/** {@code image info} for people, in qemu-img's lines. */
final class InfoText {
  private final PrintStream out;
  private final ZoneId zone;

  InfoText(PrintStream out, ZoneId zone) {
    this.out = out;
    this.zone = zone;
  }

  void print(ImageFacts facts) {
    line("image", facts.filename());
    line("file format", facts.format());
    line(
        "virtual size",
        "%s (%d bytes)".formatted(ByteSize.human(facts.virtualSize()), facts.virtualSize()));
    line("disk size", ByteSize.human(facts.actualSize()));
    if (facts.qcow2().isPresent()) {
      print(facts, facts.qcow2().get());
    }
  }

  private void print(ImageFacts facts, ImageFacts.Qcow2 qcow2) {
    if (qcow2.isEncrypted()) {
      line("encrypted", "yes");
    }
    line("cluster_size", String.valueOf(qcow2.clusterSize()));
    if (facts.has(Feature.DIRTY)) {
      line("cleanly shut down", "no");
    }
    if (qcow2.backingFile().isPresent()) {
      String name = qcow2.backingFile().get();
      String full = facts.fullBackingName().orElse(name);
      line("backing file", name.equals(full) ? name : name + " (actual path: " + full + ")");
      qcow2.backingFormat().ifPresent(format -> line("backing file format", format));
    }
    SnapshotText.print(out, zone, qcow2.snapshots());
    specifics(facts, qcow2);
  }

  /** What the format has of its own. */
  void specifics(ImageFacts facts, ImageFacts.Qcow2 qcow2) {
    out.println("Format specific information:");
    Header header = qcow2.header();
    indented("compat", qcow2.compat());
    indented("compression type", header.compressionType().name().toLowerCase(Locale.ROOT));
    if (qcow2.isVersion3()) {
      indented("lazy refcounts", header.features().has(Feature.LAZY_REFCOUNTS));
    }
    bitmaps(qcow2.bitmaps());
    indented("refcount bits", header.refcountWidth().bits());
    if (qcow2.isEncrypted()) {
      out.println("    encrypt:");
      out.println("        format: " + header.cryptMethod().name().toLowerCase(Locale.ROOT));
    }
    if (header.features().has(Feature.EXTERNAL_DATA_FILE)) {
      indented("data file", clean(qcow2.head().dataFile().orElse("")));
      indented("data file raw", header.features().has(Feature.RAW_EXTERNAL_DATA));
    }
    if (qcow2.isVersion3()) {
      indented("corrupt", header.features().has(Feature.CORRUPT));
      indented("extended l2", header.features().has(Feature.EXTENDED_L2));
    }
  }

  private void bitmaps(List<BitmapInfo> bitmaps) {
    if (bitmaps.isEmpty()) {
      return;
    }
    out.println("    bitmaps:");
    for (int i = 0; i < bitmaps.size(); i++) {
      out.printf("        [%d]:%n            flags:%n", i);
      List<String> flags = InfoJson.flags(bitmaps.get(i));
      for (int j = 0; j < flags.size(); j++) {
        out.printf("                [%d]: %s%n", j, flags.get(j));
      }
      out.printf("            name: %s%n", clean(bitmaps.get(i).name()));
      out.printf("            granularity: %d%n", bitmaps.get(i).granularity());
    }
  }

  private void indented(String key, Object value) {
    out.println("    " + key + ": " + value);
  }

  private void line(String key, String value) {
    out.println(key + ": " + clean(value));
  }

  /** What an image names itself must not play tricks on a terminal. */
  private static String clean(String text) {
    return text.replaceAll("\\p{C}", "?");
  }
}
