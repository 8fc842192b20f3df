package dev.cowbell.it.snapshot;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.SnapshotEntry;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What the snapshots of an image have to hold, and the active state too. */
final class SnapshotModel {
  private static final int CHUNK = 1 << 20;

  private final Path image;
  private final Map<String, State> snapshots = new LinkedHashMap<>();
  private State active;

  /** The size of a disk and a digest of its bytes. */
  record State(long size, String digest) {}

  SnapshotModel(Path image) throws IOException {
    this.image = image;
    this.active = activeAsQemuSees();
  }

  /** Somebody wrote to the disk, or resized it. */
  void written() throws IOException {
    active = activeAsQemuSees();
  }

  /** The snapshot with the greatest id is new. */
  String created() throws IOException {
    try (Qcow2Image opened = Qcow2Image.open(image, OpenOptions.following())) {
      String id = opened.snapshots().entries().getLast().id();
      assertThat(snapshots).doesNotContainKey(id);
      snapshots.put(id, active);
      return id;
    }
  }

  void deleted(String id) {
    snapshots.remove(id);
  }

  void applied(String id) {
    active = snapshots.getOrDefault(id, active);
  }

  List<String> ids() {
    return new ArrayList<>(snapshots.keySet());
  }

  State active() {
    return active;
  }

  State of(String id) {
    return snapshots.getOrDefault(id, active);
  }

  /** Looks at everything through both programs. */
  void verify(String what) throws IOException {
    QemuImg.checkClean(image);
    assertThat(activeAsQemuSees()).as("active state after %s, by QEMU", what).isEqualTo(active);
    try (Qcow2Image opened = Qcow2Image.open(image, OpenOptions.following())) {
      assertThat(state(opened)).as("active state after %s", what).isEqualTo(active);
      List<String> ids = opened.snapshots().entries().stream().map(SnapshotEntry::id).toList();
      assertThat(ids).as("snapshots after %s", what).isEqualTo(ids());
      for (SnapshotEntry entry : opened.snapshots().entries()) {
        State expected = of(entry.id());
        String which = "snapshot " + entry.id() + " after " + what;
        assertThat(state(opened.openSnapshot(entry))).as(which).isEqualTo(expected);
        // QEMU shows a snapshot at the active state's size.
        if (expected.size() == active.size()) {
          assertThat(asQemuSees("-l", "snapshot.id=" + entry.id()))
              .as("%s, by QEMU", which)
              .isEqualTo(expected);
        }
      }
    }
  }

  private State activeAsQemuSees() throws IOException {
    return asQemuSees();
  }

  private State asQemuSees(Object... options) throws IOException {
    Path raw = image.resolveSibling("seen.raw");
    List<Object> words = new ArrayList<>(List.of("convert", "-f", "qcow2", "-O", "raw"));
    words.addAll(List.of(options));
    words.add(image);
    words.add(raw);
    QemuImg.of(words.toArray());
    MessageDigest digest = sha256();
    try (InputStream in = Files.newInputStream(raw)) {
      byte[] chunk = new byte[CHUNK];
      for (int count = in.read(chunk); count > 0; count = in.read(chunk)) {
        digest.update(chunk, 0, count);
      }
    }
    long size = Files.size(raw);
    Files.delete(raw);
    return new State(size, HexFormat.of().formatHex(digest.digest()));
  }

  private static State state(GuestDisk disk) throws IOException {
    MessageDigest digest = sha256();
    ByteBuffer chunk = ByteBuffer.allocate(CHUNK);
    for (long at = 0; at < disk.size(); at += CHUNK) {
      chunk.clear().limit((int) Math.min(CHUNK, disk.size() - at));
      disk.read(at, chunk);
      digest.update(chunk.flip());
    }
    return new State(disk.size(), HexFormat.of().formatHex(digest.digest()));
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
