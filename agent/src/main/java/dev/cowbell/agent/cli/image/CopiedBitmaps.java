package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.Console;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import dev.cowbell.qcow2.build.NewImageOptions;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * The persistent bitmaps of one image on their way into a new one.
 *
 * @param bitmaps to be read while the image that they come from is open
 */
record CopiedBitmaps(List<NewImageOptions.NewBitmap> bitmaps) {
  static final CopiedBitmaps NONE = new CopiedBitmaps(List.of());

  /**
   * All bitmaps of a disk.
   *
   * @param skipBroken whether to leave out those whose bits are unknown, rather than to fail
   */
  static CopiedBitmaps of(MappedDisk disk, boolean skipBroken, Console console)
      throws IOException, CommandFailedException {
    if (!(disk instanceof Qcow2Image image)) {
      throw CommandFailedException.because(
          ExitCode.FAILED, "--bitmaps: only a qcow2 image has bitmaps");
    }
    PersistentBitmaps present = PersistentBitmaps.read(image.file(), image.head());
    present.warnings().forEach(console::warn);
    List<NewImageOptions.NewBitmap> copied = new ArrayList<>();
    for (BitmapInfo bitmap : present.list()) {
      String name = bitmap.name();
      if (!bitmap.inUse()) {
        copied.add(
            new NewImageOptions.NewBitmap(
                name, bitmap.granularityBits(), bitmap.enabled(), () -> present.load(name)));
      } else if (skipBroken) {
        console.warn("bitmap '" + name + "' is in use and left out");
      } else {
        throw CommandFailedException.because(
                ExitCode.FAILED, "--bitmaps: bitmap '" + name + "' is in use, its bits are unknown")
            .hint("leave it out with --skip-broken-bitmaps");
      }
    }
    return new CopiedBitmaps(copied);
  }

  /** The options of an image that has these bitmaps besides. */
  NewImageOptions addTo(NewImageOptions image) throws CommandFailedException {
    try {
      NewImageOptions all = image;
      for (NewImageOptions.NewBitmap bitmap : bitmaps) {
        all = all.withBitmap(bitmap);
      }
      return all;
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage("--bitmaps: " + e.getMessage());
    }
  }
}
