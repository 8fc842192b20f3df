package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.cli.JsonOutput;
import dev.cowbell.agent.cli.OutputFormat;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.WritableDisk;
import dev.cowbell.qcow2.bench.DiskBenchmark;
import dev.cowbell.qcow2.bench.RequestPattern;
import dev.cowbell.qcow2.map.L2Cache;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image bench}: as {@code qemu-img bench}, and what it did per second. */
@Command(
    name = "bench",
    description = "Times reads of an image, or with -w writes, which destroy its content.")
final class BenchCommand extends CowbellCommand {
  private static final int MAX_DEPTH = 4096;
  private static final int MAX_BUFFERS = 1 << 30;

  @Mixin private OpenRules rules;
  @Mixin private IoChoice io;
  @Mixin private OutputFormat output;

  @Option(names = "-c", paramLabel = "COUNT", description = "How many requests; 75000 by default.")
  private int count = 75_000;

  @Option(names = "-d", paramLabel = "DEPTH", description = "How many at once; 64 by default.")
  private int depth = 64;

  @Option(names = "-f", paramLabel = "FMT", description = "The image's format.")
  private @Nullable String format;

  @Option(names = "-s", paramLabel = "BUFSIZE", description = "The bytes of each; 4K by default.")
  private ByteSize size = new ByteSize(4096);

  @Option(
      names = "-S",
      paramLabel = "STEP",
      description = "From one request to the next; by default BUFSIZE.")
  private @Nullable ByteSize step;

  @Option(names = "-o", paramLabel = "OFFSET", description = "The first request's first byte.")
  private ByteSize offset = new ByteSize(0);

  @Option(names = "-w", description = "Write.")
  private boolean writing;

  @Option(names = "--pattern", paramLabel = "N", description = "The byte to write, 0 to 255.")
  private int pattern;

  @Option(
      names = "--flush-interval",
      paramLabel = "N",
      description = "Flush after every so many writes.")
  private int flushInterval;

  @Option(names = "--no-drain", description = "Let other requests go on during a flush.")
  private boolean noDrain;

  @Option(
      names = {"-r", "--random"},
      paramLabel = "SEED",
      description = "Requests at random multiples of BUFSIZE, not in steps.")
  private @Nullable Long seed;

  @Option(
      names = "--warm-up",
      paramLabel = "COUNT",
      description = "So many requests before, which are not timed.")
  private int warmUp;

  @Parameters(index = "0", paramLabel = "FILE", description = "The image.")
  private Path file;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    check();
    OpenOptions options = rules.options(io.io());
    if (writing) {
      options = options.withAccess(OpenOptions.Access.READ_WRITE);
    }
    try (MappedDisk disk = rules.open(file, format, options)) {
      if (!output.isJson() && !isQuiet()) {
        announce();
      }
      if (warmUp > 0) {
        time(disk, warmUp);
      }
      L2Cache.Statistics before = statistics(disk).orElse(new L2Cache.Statistics(0, 0));
      Duration taken = time(disk, count);
      report(taken, statistics(disk).map(after -> since(before, after)));
    }
    return ExitCode.DONE;
  }

  private void check() throws CommandFailedException {
    within("-c", count, 0, Integer.MAX_VALUE);
    within("--warm-up", warmUp, 0, Integer.MAX_VALUE);
    within("-d", depth, 1, MAX_DEPTH);
    within("-s", size.bytes(), 1, MAX_BUFFERS / depth);
    within("-S", step().bytes(), 0, Integer.MAX_VALUE);
    within("-o", offset.bytes(), 0, 1L << 62);
    within("--pattern", pattern, 0, 255);
    within("--flush-interval", flushInterval, 0, Integer.MAX_VALUE);
    if (flushInterval > 0 && !writing) {
      throw CommandFailedException.usage("--flush-interval is only available in write tests");
    }
    if (flushInterval > 0 && flushInterval < depth) {
      throw CommandFailedException.usage("--flush-interval can't be smaller than -d");
    }
  }

  private static void within(String option, long value, long min, long max)
      throws CommandFailedException {
    if (value < min || value > max) {
      throw CommandFailedException.usage(
          "%s: %d is not allowed, but %d to %d".formatted(option, value, min, max));
    }
  }

  private ByteSize step() {
    return step == null ? size : step;
  }

  private Duration time(MappedDisk disk, int requests) throws IOException, CommandFailedException {
    RequestPattern where =
        new RequestPattern(
            requests,
            (int) size.bytes(),
            (int) step().bytes(),
            offset.bytes(),
            seed == null ? OptionalLong.empty() : OptionalLong.of(seed));
    DiskBenchmark benchmark = new DiskBenchmark(where, depth, () -> cancellation().check());
    if (!writing) {
      return benchmark.read(disk);
    }
    if (!(disk instanceof WritableDisk writable)) {
      throw CommandFailedException.because(
          ExitCode.FAILED, file + ": -w: images of this format can't be written yet; qcow2 can");
    }
    int interval = io.isUnsafe() ? 0 : io.isWriteThrough() ? 1 : flushInterval;
    boolean draining = !noDrain && !io.isWriteThrough();
    return benchmark.write(writable, new DiskBenchmark.Writes((byte) pattern, interval, draining));
  }

  private static Optional<L2Cache.Statistics> statistics(MappedDisk disk) {
    return disk instanceof Qcow2Image image
        ? Optional.of(image.l2CacheStatistics())
        : Optional.empty();
  }

  private static L2Cache.Statistics since(L2Cache.Statistics before, L2Cache.Statistics after) {
    return new L2Cache.Statistics(after.hits() - before.hits(), after.misses() - before.misses());
  }

  private void announce() {
    console()
        .out()
        .printf(
            Locale.ROOT,
            "Sending %d %s requests, %d bytes each, %d in parallel (%s)%n",
            count,
            writing ? "write" : "read",
            size.bytes(),
            depth,
            seed == null
                ? "starting at offset %d, step size %d".formatted(offset.bytes(), step().bytes())
                : "at random, seed " + seed);
    if (flushInterval > 0) {
      console().out().printf(Locale.ROOT, "Sending flush every %d requests%n", flushInterval);
    }
    console().out().flush();
  }

  private void report(Duration taken, Optional<L2Cache.Statistics> l2) throws IOException {
    double seconds = taken.toNanos() / 1e9;
    double ops = seconds == 0 ? 0 : count / seconds;
    if (output.isJson()) {
      JsonOutput.print(
          console().out(),
          json -> {
            json.writeStartObject();
            json.writeStringField("kind", writing ? "write" : "read");
            json.writeNumberField("requests", count);
            json.writeNumberField("depth", depth);
            json.writeNumberField("bytes-per-request", size.bytes());
            json.writeNumberField("seconds", seconds);
            json.writeNumberField("ops-per-second", ops);
            json.writeNumberField("bytes-per-second", ops * size.bytes());
            if (l2.isPresent()) {
              json.writeObjectFieldStart("l2-cache");
              json.writeNumberField("hits", l2.get().hits());
              json.writeNumberField("misses", l2.get().misses());
              json.writeNumberField("hit-rate", l2.get().hitRate());
              json.writeEndObject();
            }
            json.writeEndObject();
          });
    } else if (!isQuiet()) {
      String hits =
          l2.map(it -> ", L2 cache hits %.2f %%".formatted(100 * it.hitRate())).orElse("");
      console().out().printf(Locale.ROOT, "Run completed in %3.3f seconds.%n", seconds);
      console()
          .out()
          .printf(Locale.ROOT, "%.0f ops/s, %.1f MB/s%s%n", ops, ops * size.bytes() / 1e6, hits);
    }
  }
}
