package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandGroup;
import dev.cowbell.agent.cli.Subcommands;
import picocli.CommandLine.Command;

/** {@code cowbell image …}: disk images, with qemu-img's options and meanings. */
@Command(
    name = "image",
    description = "Looks at, makes, checks, converts and compares disk images.")
@Subcommands({
  AmendCommand.class,
  BenchCommand.class,
  BitmapCommand.class,
  CheckCommand.class,
  CommitCommand.class,
  CompareCommand.class,
  ConvertCommand.class,
  CreateCommand.class,
  DdCommand.class,
  DirtyCommand.class,
  InfoCommand.class,
  IoCommand.class,
  MapCommand.class,
  MeasureCommand.class,
  RebaseCommand.class,
  ResizeCommand.class,
  SnapshotCommand.class,
})
public final class ImageCommand extends CommandGroup {}
