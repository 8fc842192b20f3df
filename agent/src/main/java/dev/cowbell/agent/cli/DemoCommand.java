package dev.cowbell.agent.cli;

import dev.cowbell.agent.backup.BackupSettings;
import dev.cowbell.agent.backup.Moment;
import dev.cowbell.agent.demo.Demo;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.repository.PointIds;
import dev.cowbell.agent.source.HostName;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.SecureRandom;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code cowbell demo}. */
@Command(
    name = "demo",
    description = {
      "Shows the main job in a temporary folder, with nothing else installed.",
      "Makes a disk, backs it up, changes it, backs it up incrementally, restores both states and",
      "compares them."
    })
final class DemoCommand extends CowbellCommand {

  @Option(
      names = "--keep",
      paramLabel = "DIR",
      description = "Work in this folder, which must be empty or new, and leave everything there.")
  private @Nullable String keep;

  @Override
  protected ExitCode run() throws Exception {
    if (keep == null) {
      Path folder = Files.createTempDirectory("cowbell-demo-");
      try {
        show(folder);
      } finally {
        remove(folder);
      }
    } else {
      Path folder = Arguments.path(keep);
      Files.createDirectories(folder);
      try (Stream<Path> content = Files.list(folder)) {
        if (content.findAny().isPresent()) {
          throw CommandFailedException.usage(folder + " is not empty");
        }
      }
      show(folder);
      console()
          .out()
          .printf(
              "All of it is in %s. Any qemu-img reads it: qemu-img convert -O raw"
                  + " %s/repository/vms/demo/disks/vda/POINT.qcow2 disk.raw%n",
              folder, folder);
    }
    return ExitCode.DONE;
  }

  private void show(Path folder) throws IOException {
    BackupSettings settings =
        new BackupSettings(
            console().clock(),
            new PointIds(console().clock(), new SecureRandom()),
            HostName.current(),
            Version.current(),
            Progress.NONE,
            cancellation(),
            Moment.Observer.NONE);
    new Demo(
            folder,
            settings,
            line -> {
              console().out().println(line);
              console().out().flush();
            })
        .run();
  }

  private static void remove(Path folder) throws IOException {
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException e)
              throws IOException {
            Files.delete(directory);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
