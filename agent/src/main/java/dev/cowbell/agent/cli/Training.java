package dev.cowbell.agent.cli;

import dev.cowbell.agent.observe.Cancellation;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.ZoneOffset;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Runs a few typical commands so that the virtual machine learns which classes a start needs; the
 * launcher makes a class cache of what it learned. Prints nothing and leaves nothing behind.
 */
final class Training {

  private static final long SIZE = 4 << 20;

  private Training() {}

  public static void main(String[] args) throws IOException {
    Path folder = Files.createTempDirectory("cowbell-training");
    try {
      run("--help");
      run("image"); // an error
      images(folder);
      run("demo", "--keep", folder.resolve("demo").toString());
      Main.main(new String[] {"--version"});
    } finally {
      delete(folder);
    }
    Main.main(new String[] {"image", "convert", "--help"}); // with what a process adds to a command
  }

  private static void images(Path folder) throws IOException {
    String raw = folder.resolve("disk.raw").toString();
    String image = folder.resolve("disk.qcow2").toString();
    Files.write(Path.of(raw), "cowbell".repeat(1 << 16).getBytes(StandardCharsets.UTF_8));
    try (FileChannel file = FileChannel.open(Path.of(raw), StandardOpenOption.WRITE)) {
      file.write(ByteBuffer.allocate(1), SIZE - 1); // behind a hole
    }
    run("image", "convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd", raw, image);
    run("image", "convert", "-O", "raw", image, raw);
    run("image", "convert", "-O", "qcow2", raw, image);
    run("image", "convert", "-O", "qcow2", image, folder.resolve("copy.qcow2").toString());
    run("image", "compare", raw, image);
    run("image", "bitmap", "--add", image, "bitmap");
    run("image", "dirty", "--json", image, "bitmap");
    run("image", "info", "--json", image);
    run("image", "info", image);
    run("image", "map", "--json", image);
    run("image", "check", image);
  }

  private static void run(String... command) {
    CommandRunner.run(
        new Console(
            new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8),
            new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8),
            false,
            _ -> Optional.empty(),
            Clock.systemUTC(),
            () -> ZoneOffset.UTC,
            new Cancellation()),
        command);
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
