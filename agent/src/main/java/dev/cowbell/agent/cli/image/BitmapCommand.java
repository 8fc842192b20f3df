package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.bitmap.BitmapEditor;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image bitmap}: as {@code qemu-img bitmap}, but all its steps or none. */
@Command(
    name = "bitmap",
    description = {
      "Changes a persistent bitmap of an image that nobody has open.",
      "Steps are taken in the order they are given; all take effect, or none."
    })
final class BitmapCommand extends CowbellCommand {

  /** One change to the bitmap. */
  private interface Step {
    void apply(BitmapEditor editor) throws IOException, CommandFailedException;
  }

  private final List<Step> steps = new ArrayList<>();

  @Mixin private OpenRules rules;

  @Option(
      names = "-g",
      paramLabel = "GRAN",
      description = "With --add: the bytes that one bit stands for, a power of two.")
  private @Nullable ByteSize granularity;

  @Option(names = "-b", paramLabel = "SOURCE_FILE", description = "With --merge: the other image.")
  private @Nullable Path sourceFile;

  @Option(names = "-F", paramLabel = "FMT", description = "The other image's format: qcow2.")
  private String sourceFormat = "qcow2";

  @Option(names = "-f", paramLabel = "FMT", description = "The image's format: qcow2.")
  private String format = "qcow2";

  @Parameters(index = "0", paramLabel = "FILE", description = "A qcow2 image.")
  private Path file;

  @Parameters(index = "1", paramLabel = "NAME", description = "The bitmap's name.")
  private String name;

  @Option(names = "--add", description = "Add the bitmap: enabled, nothing marked.")
  void setAdd(boolean given) {
    step(given, this::add);
  }

  @Option(names = "--remove", description = "Remove it.")
  void setRemove(boolean given) {
    step(given, editor -> editor.remove(name));
  }

  @Option(names = "--clear", description = "Mark everything clean.")
  void setClear(boolean given) {
    step(given, editor -> editor.clear(name));
  }

  @Option(names = "--enable", description = "Make it record writes.")
  void setEnable(boolean given) {
    step(given, editor -> editor.enable(name));
  }

  @Option(names = "--disable", description = "Make it keep its marks as they are.")
  void setDisable(boolean given) {
    step(given, editor -> editor.disable(name));
  }

  @Option(
      names = "--merge",
      paramLabel = "SRC",
      description = "Mark what another bitmap marks, too.")
  void setMerge(@Nullable String source) {
    if (source != null) {
      step(true, editor -> merge(editor, source));
    }
  }

  private void step(boolean given, Step step) {
    if (given) {
      steps.add(step);
    }
  }

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    if (steps.isEmpty()) {
      throw CommandFailedException.usage(
          "nothing to do: one of --add, --remove, --clear, --enable, --disable, --merge is needed");
    }
    if (!format.equals("qcow2") || !sourceFormat.equals("qcow2")) {
      throw CommandFailedException.usage("only qcow2 images have persistent bitmaps");
    }
    try (BitmapEditor editor = BitmapEditor.open(file)) {
      for (Step step : steps) {
        step.apply(editor);
      }
      editor.commit();
    }
    return ExitCode.DONE;
  }

  private void add(BitmapEditor editor) throws IOException, CommandFailedException {
    int bits = editor.defaultGranularityBits();
    if (granularity != null) {
      bits = Long.numberOfTrailingZeros(granularity.bytes());
      if (Long.bitCount(granularity.bytes()) != 1
          || bits < DirtyBitmap.MIN_GRANULARITY_BITS
          || bits > DirtyBitmap.MAX_GRANULARITY_BITS) {
        throw CommandFailedException.usage(
            "-g: %d is not allowed, but powers of two from 512 to 2G"
                .formatted(granularity.bytes()));
      }
    }
    editor.add(name, bits, true, ExtentSet.empty());
  }

  private void merge(BitmapEditor editor, String source)
      throws IOException, CommandFailedException {
    if (sourceFile == null) {
      editor.merge(name, source);
      return;
    }
    try (MappedDisk disk = rules.open(sourceFile, "qcow2", rules.metadataOnly())) {
      Qcow2Image image = (Qcow2Image) disk;
      editor.merge(name, PersistentBitmaps.read(image.file(), image.head()).load(source));
    }
  }
}
