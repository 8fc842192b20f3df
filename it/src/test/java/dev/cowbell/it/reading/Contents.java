package dev.cowbell.it.reading;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.MappedDisk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** What disks show, compared with what QEMU says. */
final class Contents {

  private Contents() {}

  /** Fails unless a disk reads, in pieces of random sizes, as a raw file does. */
  static void assertReadsAs(GuestDisk disk, Path raw, Random random, String what)
      throws IOException {
    try (FileChannel expected = FileChannel.open(raw)) {
      assertThat(disk.size()).as(what).isEqualTo(expected.size());
      long at = 0;
      while (at < disk.size()) {
        int length = (int) Math.min(disk.size() - at, 1 + random.nextInt(3 << 20));
        ByteBuffer ours =
            random.nextBoolean() ? ByteBuffer.allocate(length) : ByteBuffer.allocateDirect(length);
        disk.read(at, ours);
        assertThat(ours.hasRemaining()).isFalse();
        ByteBuffer theirs = ByteBuffer.allocate(length);
        while (theirs.hasRemaining() && expected.read(theirs, at + theirs.position()) > 0) {
          // Until all is there.
        }
        int differs = ours.flip().mismatch(theirs.flip());
        if (differs >= 0) {
          throw new AssertionError(what + ": differs at guest offset " + (at + differs));
        }
        at += length;
      }
    }
  }

  /** One run of a map, in the terms both sides have. */
  private record Run(
      long start, long length, int depth, boolean present, boolean data, long offset) {

    boolean continuesIn(Run next) {
      return next.depth == depth
          && next.present == present
          && next.data == data
          && next.offset == (offset < 0 ? -1 : offset + length);
    }
  }

  /** Fails unless a disk's map says what {@code qemu-img map} says. */
  static void assertMapsAs(MappedDisk disk, Path image, String what) throws IOException {
    List<Run> ours = new ArrayList<>();
    disk.map(
        0,
        disk.size(),
        entry -> {
          assertThat(entry.zero()).isEqualTo(!entry.data());
          Run run =
              new Run(
                  entry.start(),
                  entry.length(),
                  entry.depth(),
                  entry.present(),
                  entry.data(),
                  entry.offset().orElse(-1));
          if (!ours.isEmpty() && !entry.compressed()) {
            assertThat(ours.getLast().continuesIn(run)).as("%s: joined at %s", what, run).isFalse();
          }
          add(ours, run);
        });
    List<Run> theirs = new ArrayList<>();
    for (JsonNode node : QemuImg.map("-f", "qcow2", image)) {
      // Data that QEMU finds to be a hole of the host file has both flags.
      boolean data = node.get("data").asBoolean();
      assertThat(data || node.get("zero").asBoolean()).isTrue();
      add(
          theirs,
          new Run(
              node.get("start").asLong(),
              node.get("length").asLong(),
              node.get("depth").asInt(),
              node.get("present").asBoolean(),
              data,
              node.has("offset") ? node.get("offset").asLong() : -1));
    }
    assertThat(ours).as(what).isEqualTo(theirs);
  }

  private static void add(List<Run> runs, Run run) {
    if (!runs.isEmpty() && runs.getLast().continuesIn(run)) {
      Run last = runs.removeLast();
      runs.add(
          new Run(
              last.start,
              last.length + run.length,
              last.depth,
              last.present,
              last.data,
              last.offset));
    } else {
      runs.add(run);
    }
  }
}
