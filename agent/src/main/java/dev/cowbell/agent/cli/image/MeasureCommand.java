package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.cli.JsonOutput;
import dev.cowbell.agent.cli.OutputFormat;
import dev.cowbell.qcow2.HoleAwareDisk;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import dev.cowbell.qcow2.build.ImageMeasure;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.crypto.LuksOptions;
import dev.cowbell.qcow2.crypto.NewLuks;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image measure}: as {@code qemu-img measure}. */
@Command(name = "measure", description = "Says how large a new image would become.")
final class MeasureCommand extends CowbellCommand {

  @Mixin private OutputFormat output;
  @Mixin private OpenRules rules;

  @Option(names = "-f", paramLabel = "FMT", description = "The format of FILE.")
  private @Nullable String sourceFormat;

  @Option(names = "-O", paramLabel = "FMT", description = "The new image's format; raw by default.")
  private String targetFormat = "raw";

  @Option(names = "-o", paramLabel = "KEY=VALUE,...", description = "Options of the new image.")
  private List<String> options = List.of();

  @Option(names = "-l", paramLabel = "SNAP", description = "Measure for an internal snapshot.")
  private @Nullable String snapshot;

  @Option(names = "--size", paramLabel = "N", description = "Measure for an empty disk.")
  private @Nullable ByteSize size;

  @Parameters(arity = "0..1", paramLabel = "FILE", description = "The image that would be copied.")
  private @Nullable Path file;

  /** What is printed. */
  private record Result(ImageMeasure measure, OptionalLong bitmaps) {

    Result encrypted(LuksOptions luks, NewImageOptions image) {
      long header = NewLuks.areaLength(luks.cipher());
      return new Result(measure.encrypted(header, image.geometry().clusterSize()), bitmaps);
    }
  }

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    if (OptionHelp.isWanted(options)) {
      OptionHelp.ofNew(targetFormat).print(console().out());
      return ExitCode.DONE;
    }
    if ((file == null) == (size == null)) {
      throw CommandFailedException.usage("either FILE or --size N is to be given");
    }
    CreateOptions create = CreateOptions.parse(options);
    Optional<NewImageOptions> image =
        switch (targetFormat) {
          case "qcow2" -> Optional.of(withBacking(create));
          case "raw" -> Optional.empty();
          default -> throw OpenRules.unknownFormat(targetFormat);
        };
    if (image.isEmpty()) {
      create.raw();
    }
    Optional<LuksOptions> luks = create.encryption().luks();
    Result result = file == null ? ofSize(image) : ofFile(file, image);
    if (image.isPresent() && luks.isPresent()) {
      result = result.encrypted(luks.get(), image.get());
    }
    print(result);
    return ExitCode.DONE;
  }

  private static NewImageOptions withBacking(CreateOptions create) throws CommandFailedException {
    NewImageOptions image = create.image();
    return create.backingFile().isEmpty()
        ? image
        : image.withBacking(create.backingFile().get(), create.backingFormat().orElse("raw"));
  }

  private Result ofSize(Optional<NewImageOptions> image) throws IOException {
    long bytes = size == null ? 0 : size.bytes();
    return new Result(
        image.isPresent() ? ImageMeasure.ofEmpty(bytes, image.get()) : ImageMeasure.ofRaw(bytes),
        OptionalLong.empty());
  }

  private Result ofFile(Path path, Optional<NewImageOptions> image)
      throws IOException, CommandFailedException {
    try (MappedDisk source = rules.open(path, sourceFormat)) {
      MappedDisk state = snapshot == null ? source : Snapshots.open(source, snapshot);
      MappedDisk disk = HoleAwareDisk.over(state, source);
      if (image.isEmpty()) {
        return new Result(ImageMeasure.ofRaw(disk.size()), OptionalLong.empty());
      }
      ImageMeasure measure = ImageMeasure.ofCopy(disk, image.get());
      if (!(source instanceof Qcow2Image qcow2)
          || image.get().version() < 3
          || qcow2.head().header().version() < 3) {
        return new Result(measure, OptionalLong.empty());
      }
      return new Result(
          measure,
          OptionalLong.of(
              ImageMeasure.ofBitmaps(
                  PersistentBitmaps.read(qcow2.file(), qcow2.head()).list(),
                  qcow2.size(),
                  image.get().geometry().clusterBits())));
    }
  }

  private void print(Result result) throws IOException {
    ImageMeasure measure = result.measure();
    PrintStream out = console().out();
    if (output.isJson()) {
      JsonOutput.print(
          out,
          json -> {
            json.writeStartObject();
            if (result.bitmaps().isPresent()) {
              json.writeNumberField("bitmaps", result.bitmaps().getAsLong());
            }
            json.writeNumberField("required", measure.required());
            json.writeNumberField("fully-allocated", measure.fullyAllocated());
            json.writeEndObject();
          });
      return;
    }
    out.println("required size: " + measure.required());
    out.println("fully allocated size: " + measure.fullyAllocated());
    if (result.bitmaps().isPresent()) {
      out.println("bitmaps size: " + result.bitmaps().getAsLong());
    }
  }
}
