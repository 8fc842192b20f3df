package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.build.NewQcow2Image;
import dev.cowbell.qcow2.build.NewRawImage;
import dev.cowbell.qcow2.build.PendingFile;
import dev.cowbell.qcow2.build.PendingImage;
import dev.cowbell.qcow2.build.Preallocation;
import dev.cowbell.qcow2.crypto.NewLuks;
import dev.cowbell.qcow2.format.Geometry;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image create}: as {@code qemu-img create}. */
@Command(name = "create", description = "Makes an empty image, or one over a backing file.")
final class CreateCommand extends CowbellCommand {
  private static final int SECTOR = 512;

  @Mixin private OpenRules rules;

  @Option(names = "-f", paramLabel = "FMT", description = "qcow2 or raw (default).")
  private String format = "raw";

  @Option(
      names = "-o",
      paramLabel = "KEY=VALUE,...",
      description = "Options of the new image; -o help lists them.")
  private List<String> options = List.of();

  @Option(names = "-b", paramLabel = "BACKING", description = "The backing file.")
  private @Nullable String backing;

  @Option(names = "-F", paramLabel = "FMT", description = "The backing file's format.")
  private @Nullable String backingFormat;

  @Option(names = "-u", description = "Do not look at the backing file; it need not exist.")
  private boolean unsafe;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "FILE",
      description = "The image to make; replaced if it exists and nobody uses it.")
  private Path target;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "SIZE",
      description = "The disk's size; by default the backing file's.")
  private @Nullable ByteSize size;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    if (OptionHelp.isWanted(options)) {
      OptionHelp.ofNew(format).print(console().out());
      return ExitCode.DONE;
    }
    OptionHelp.requireFile(target, "FILE");
    CreateOptions create = CreateOptions.parse(options);
    switch (format) {
      case "qcow2" -> createQcow2(create);
      case "raw" -> createRaw(create);
      default -> throw OpenRules.unknownFormat(format);
    }
    return ExitCode.DONE;
  }

  private void createRaw(CreateOptions create) throws IOException, CommandFailedException {
    if (backing != null || backingFormat != null) {
      throw CommandFailedException.usage("-b and -F: a raw image has no backing file");
    }
    Preallocation preallocation = create.raw();
    long bytes = wholeSectors(statedSize(create).orElseThrow(CreateCommand::noSize));
    announce(
        "raw size="
            + bytes
            + (preallocation == Preallocation.OFF ? "" : " preallocation=" + name(preallocation)));
    try (PendingFile file = PendingFile.of(target)) {
      new NewRawImage(file.file(), bytes, SECTOR, NewRawImage.Before.NOTHING, preallocation)
          .finish();
      file.publish(PendingFile.Existing.REPLACE, false);
    }
  }

  private void createQcow2(CreateOptions create) throws IOException, CommandFailedException {
    NewImageOptions image = create.image();
    Optional<String> below = Optional.ofNullable(backing).or(create::backingFile);
    Optional<String> belowFormat = Optional.ofNullable(backingFormat).or(create::backingFormat);
    Optional<Long> stated = statedSize(create);
    if (below.isPresent()) {
      String known =
          belowFormat.orElseThrow(() ->
              CommandFailedException.usage("-b: the backing file's format is missing")
                  .hint("say it with -F"));
      image = withBacking(image, below.get(), known);
      if (!unsafe) {
        long size = backingSize(below.get(), known);
        stated = Optional.of(stated.orElse(size));
      }
    } else if (belowFormat.isPresent()) {
      throw CommandFailedException.usage("-F: there is no backing file (-b)");
    }
    long bytes = wholeSectors(stated.orElseThrow(CreateCommand::noSize));
    Optional<NewLuks> luks =
        create.encryption().make("--passphrase-file", rules.passphraseFile(), console());
    announce(describe(image, bytes));
    try (NewLuks _ = luks.orElse(null);
        PendingImage files = PendingImage.of(target, create.dataFile().map(Path::of))) {
      NewQcow2Image made = new NewQcow2Image(files.file(), files.dataFile(), bytes, image, luks);
      made.placeNothing();
      made.finish();
      files.publish(PendingFile.Existing.REPLACE, false);
    }
  }

  /** Adds a backing file, unless other options rule it out. */
  static NewImageOptions withBacking(NewImageOptions image, String name, String format)
      throws CommandFailedException {
    try {
      return image.withBacking(name, format);
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage("-b: " + e.getMessage());
    }
  }

  private long backingSize(String name, String known) throws IOException, CommandFailedException {
    Path path = target.toAbsolutePath().resolveSibling(name);
    try (MappedDisk disk = rules.openOther(path, known, rules.metadataOnly())) {
      return disk.size();
    }
  }

  private Optional<Long> statedSize(CreateOptions create) {
    if (size != null) {
      return Optional.of(size.bytes());
    }
    return create.size().isPresent() ? Optional.of(create.size().getAsLong()) : Optional.empty();
  }

  private static CommandFailedException noSize() {
    return CommandFailedException.usage("SIZE is missing, and no backing file tells it");
  }

  private static long wholeSectors(long bytes) throws CommandFailedException {
    if (bytes > Long.MAX_VALUE - SECTOR) {
      throw CommandFailedException.usage("SIZE: " + bytes + " is too large");
    }
    return (bytes + SECTOR - 1) & -SECTOR;
  }

  private void announce(String what) {
    if (!isQuiet()) {
      console().out().println("Formatting '" + target + "', fmt=" + what);
    }
  }

  /** The options in qemu-img's order and words. */
  private static String describe(NewImageOptions image, long bytes) {
    Geometry geometry = image.geometry();
    StringBuilder text = new StringBuilder("qcow2");
    text.append(" cluster_size=").append(geometry.clusterSize());
    text.append(" extended_l2=").append(onOff(geometry.extendedL2()));
    if (image.preallocation() != Preallocation.OFF) {
      text.append(" preallocation=").append(name(image.preallocation()));
    }
    text.append(" compression_type=").append(name(image.compressionType()));
    text.append(" size=").append(bytes);
    if (image.version() == 2) {
      text.append(" compat=0.10");
    }
    image
        .dataFile()
        .ifPresent(file -> {
          text.append(" data_file=").append(file.name());
          text.append(file.raw() ? " data_file_raw=on" : "");
        });
    image
        .backing()
        .ifPresent(file ->
            text.append(" backing_file=%s backing_fmt=%s".formatted(file.name(), file.format())));
    text.append(" lazy_refcounts=").append(onOff(image.lazyRefcounts()));
    text.append(" refcount_bits=").append(geometry.refcountWidth().bits());
    return text.toString();
  }

  private static String onOff(boolean on) {
    return on ? "on" : "off";
  }

  private static String name(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
