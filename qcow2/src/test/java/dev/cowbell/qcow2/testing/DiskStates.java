package dev.cowbell.qcow2.testing;

import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Every state of an image without a backing file.
 *
 * @param ids of the internal snapshots
 * @param contents hashes of the active state's bytes, then of each snapshot's
 */
public record DiskStates(List<String> ids, List<Integer> contents) {

  /** Reads a whole image. */
  public static DiskStates of(byte[] image) throws IOException {
    List<String> ids = new ArrayList<>();
    List<Integer> contents = new ArrayList<>();
    try (Qcow2Image opened =
        Qcow2Image.adopt(new MemoryHostFile("image", image), OpenOptions.strict())) {
      contents.add(hash(opened));
      for (SnapshotEntry entry : opened.snapshots().entries()) {
        ids.add(entry.id());
        contents.add(hash(opened.openSnapshot(entry)));
      }
    }
    return new DiskStates(ids, contents);
  }

  private static int hash(GuestDisk disk) throws IOException {
    ByteBuffer all = ByteBuffer.allocate((int) disk.size());
    disk.read(0, all);
    return Arrays.hashCode(all.array());
  }
}
