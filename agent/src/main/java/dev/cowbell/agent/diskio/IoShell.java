package dev.cowbell.agent.diskio;

import java.io.IOException;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Runs command lines on a disk, one after another. What they print is what qemu-io prints. */
public final class IoShell {

  private static final int SECTOR_MASK = 511;

  private final IoDisk target;
  private final IoReport report;
  private final Consumer<String> errors;
  private final ReadCommands reads;
  private final WriteCommands writes;
  private final AllocationCommands allocation;
  private boolean failed;
  private boolean ended;

  /**
   * @param out takes results
   * @param errors takes complaints that do not belong to the results
   */
  public IoShell(IoDisk target, PrintStream out, Consumer<String> errors) {
    this.target = target;
    this.report = new IoReport(out);
    this.errors = errors;
    IoRequests requests = new IoRequests(target);
    this.reads = new ReadCommands(requests, report);
    this.writes = new WriteCommands(target, requests, report);
    this.allocation = new AllocationCommands(target.disk(), report);
  }

  /** Whether any command failed so far. */
  public boolean hasFailed() {
    return failed;
  }

  /** Whether {@code quit} was said. */
  public boolean hasEnded() {
    return ended;
  }

  /** Runs a command line; an empty one does nothing. */
  public void run(String line) {
    List<String> words = Arrays.stream(line.split(" ", -1)).filter(w -> !w.isEmpty()).toList();
    if (words.isEmpty()) {
      return;
    }
    try {
      Optional<IoSyntax> syntax = IoSyntax.of(words.getFirst());
      if (syntax.isEmpty()) {
        throw IoCommandException.onError("command \"%s\" not found".formatted(words.getFirst()));
      }
      run(syntax.get(), IoArguments.parse(syntax.get(), words));
    } catch (IoCommandException e) {
      failed = true;
      complain(e);
    }
  }

  private void complain(IoCommandException e) {
    for (Throwable detail : e.getSuppressed()) {
      errors.accept(String.valueOf(detail.getMessage()));
    }
    switch (e.stream()) {
      case OUT -> report.line(e.line());
      case ERR -> errors.accept(e.line());
      case NONE -> {}
    }
  }

  private void run(IoSyntax syntax, IoArguments arguments) throws IoCommandException {
    switch (syntax) {
      case READ -> reads.read(arguments);
      case READV, AIO_READ -> reads.readVector(arguments);
      case WRITE -> writes.write(arguments);
      case WRITEV -> writes.writeVector(arguments, "writev");
      case AIO_WRITE -> writes.writeVector(arguments, "aio_write");
      case AIO_FLUSH -> {}
      case DISCARD -> writes.discard(arguments);
      case FLUSH -> writes.flush();
      case TRUNCATE -> writes.truncate(arguments);
      case ALLOC -> allocation.alloc(arguments.operands());
      case MAP -> allocation.map();
      case LENGTH -> report.line(IoReport.size(target.disk().size()));
      case INFO -> info();
      case SLEEP -> sleep(IoNumbers.millis(arguments.operands().getFirst()));
      case HELP -> help(arguments.operands());
      case QUIT -> ended = true;
    }
  }

  private void info() throws IoCommandException {
    try {
      target.info().forEach(report::line);
    } catch (IOException e) {
      throw failed("info", e);
    }
  }

  private static void sleep(long millis) {
    try {
      TimeUnit.MILLISECONDS.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void help(List<String> operands) throws IoCommandException {
    if (operands.isEmpty()) {
      for (IoSyntax syntax : IoSyntax.values()) {
        report.line(syntax.help());
      }
      return;
    }
    Optional<IoSyntax> syntax = IoSyntax.of(operands.getFirst());
    if (syntax.isEmpty()) {
      throw IoCommandException.of("command " + operands.getFirst() + " not found");
    }
    report.line(syntax.get().help());
  }

  /** What is printed of a request that failed; the reason in our own words goes with it. */
  static IoCommandException failed(String command, Exception cause) {
    IoCommandException failure =
        IoCommandException.of(command + " failed: " + SystemError.of(cause));
    if (cause.getMessage() != null) {
      failure.addSuppressed(cause);
    }
    return failure;
  }

  static void requireSectors(long at, long length) throws IoCommandException {
    if ((at & SECTOR_MASK) != 0) {
      throw notAligned(at, "offset");
    }
    if ((length & SECTOR_MASK) != 0) {
      throw notAligned(length, "count");
    }
  }

  private static IoCommandException notAligned(long value, String what) {
    return IoCommandException.of(
        "%d is not a sector-aligned value for '%s'".formatted(value, what));
  }

  /** The lengths behind the offset, together. */
  static long totalLength(IoArguments arguments) throws IoCommandException {
    long total = 0;
    for (String text : arguments.operands().subList(1, arguments.operands().size())) {
      long length = IoNumbers.bytes(text);
      if (length > IoNumbers.MAX_REQUEST) {
        throw IoCommandException.of(
            "Argument '%s' exceeds maximum size %d".formatted(text, IoNumbers.MAX_REQUEST));
      }
      total += length;
      if (total > IoNumbers.MAX_REQUEST) {
        throw IoCommandException.of(
            "The total number of bytes exceed the maximum size " + IoNumbers.MAX_REQUEST);
      }
    }
    return total;
  }
}
