package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.build.CopyTarget;
import dev.cowbell.qcow2.build.DiskCopy;
import dev.cowbell.qcow2.build.DiskSlice;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.build.NewQcow2Image;
import dev.cowbell.qcow2.build.NewRawImage;
import dev.cowbell.qcow2.build.PendingFile;
import dev.cowbell.qcow2.build.Preallocation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image dd}: as {@code qemu-img dd}. */
@Command(name = "dd", description = "Copies a part of a disk into a new image.")
final class DdCommand extends CowbellCommand {
  private static final int SECTOR = 512;
  private static final int SPARSE = 4096;
  private static final Set<String> KEYS = Set.of("if", "of", "bs", "skip", "count");

  @Mixin private OpenRules rules;

  @Option(names = "-f", paramLabel = "FMT", description = "The source's format.")
  private @Nullable String sourceFormat;

  @Option(names = "-O", paramLabel = "FMT", description = "The target's format; raw by default.")
  private String targetFormat = "raw";

  @Parameters(
      arity = "2..5",
      paramLabel = "KEY=VALUE",
      description = "if=SRC of=DST [bs=SIZE] [skip=BLOCKS] [count=BLOCKS]; bs is 512 by default.")
  private List<String> operands = List.of();

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    Map<String, String> given = parse();
    Path source = Path.of(required(given, "if"));
    Path target = Path.of(required(given, "of"));
    long block = number(given, "bs", SECTOR);
    if (block < 1 || block > Integer.MAX_VALUE) {
      throw CommandFailedException.usage(
          "bs: %d is not allowed, but 1 to %d".formatted(block, Integer.MAX_VALUE));
    }
    boolean qcow2 = targetFormat.equals("qcow2");
    if (!qcow2 && !targetFormat.equals("raw")) {
      throw OpenRules.unknownFormat(targetFormat);
    }
    try (MappedDisk disk = rules.open(source, sourceFormat)) {
      long end = Math.min(disk.size(), bytes(number(given, "count", Long.MAX_VALUE), block));
      long start = bytes(number(given, "skip", 0), block);
      if (start > end) {
        console().warn(source + ": cannot skip to specified offset");
        start = end;
      }
      long size = Math.ceilDiv(end - start, SECTOR) * SECTOR;
      copy(new DiskSlice(disk, start, end - start, size), target, qcow2);
    }
    return ExitCode.DONE;
  }

  private Map<String, String> parse() throws CommandFailedException {
    Map<String, String> given = new HashMap<>();
    for (String operand : operands) {
      int equals = operand.indexOf('=');
      String key = equals < 0 ? operand : operand.substring(0, equals);
      if (equals < 0 || !KEYS.contains(key)) {
        throw CommandFailedException.usage(
            "'%s' is no operand of dd; there are if=, of=, bs=, skip= and count="
                .formatted(operand));
      }
      given.put(key, operand.substring(equals + 1));
    }
    return given;
  }

  private static String required(Map<String, String> given, String key)
      throws CommandFailedException {
    String value = given.get(key);
    if (value == null || value.isEmpty()) {
      throw CommandFailedException.usage("must specify both input and output file names: if= of=");
    }
    return value;
  }

  private static long number(Map<String, String> given, String key, long otherwise)
      throws CommandFailedException {
    String value = given.get(key);
    try {
      return value == null ? otherwise : ByteSize.parse(value).bytes();
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage(key + ": " + e.getMessage());
    }
  }

  private static long bytes(long blocks, long block) {
    return blocks > Long.MAX_VALUE / block ? Long.MAX_VALUE : blocks * block;
  }

  private void copy(GuestDisk disk, Path target, boolean qcow2) throws IOException {
    try (PendingFile file = PendingFile.of(target)) {
      CopyTarget made =
          qcow2
              ? new NewQcow2Image(file.file(), disk.size(), NewImageOptions.DEFAULT)
              : new NewRawImage(
                  file.file(), disk.size(), SPARSE, NewRawImage.Before.NOTHING, Preallocation.OFF);
      DiskCopy.of(disk, made, _ -> cancellation().check()).run();
      file.publish(PendingFile.Existing.REPLACE, false);
    }
  }
}
