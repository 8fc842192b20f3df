package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.Qcow2Image;
import java.io.IOException;

/** Finds the internal snapshot that {@code -l} names. */
final class Snapshots {

  private Snapshots() {}

  /**
   * Opens a snapshot of a disk; it lives no longer than the disk.
   *
   * @param name an id, else a name; or {@code snapshot.id=}, {@code snapshot.name=}
   */
  static MappedDisk open(MappedDisk disk, String name) throws IOException, CommandFailedException {
    if (!(disk instanceof Qcow2Image image)) {
      throw CommandFailedException.because(
          ExitCode.FAILED, "-l: only a qcow2 image has internal snapshots");
    }
    return image.openSnapshot(image.snapshots().find(name));
  }
}
