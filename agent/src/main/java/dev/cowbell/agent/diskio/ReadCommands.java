package dev.cowbell.agent.diskio;

import java.io.IOException;
import java.util.Optional;

/** {@code read}, {@code readv} and {@code aio_read}. */
final class ReadCommands {

  private final IoRequests requests;
  private final IoReport report;

  ReadCommands(IoRequests requests, IoReport report) {
    this.requests = requests;
    this.report = report;
  }

  /**
   * A read request.
   *
   * @param from where in the request the bytes begin that have to be the pattern
   * @param count how many they are
   */
  private record Request(long at, long length, Optional<Byte> pattern, long from, long count) {}

  void read(IoArguments arguments) throws IoCommandException {
    Optional<String> wanted = arguments.value('l');
    Optional<Byte> pattern = pattern(arguments);
    Optional<String> start = arguments.value('s');
    long count = wanted.isEmpty() ? 0 : IoNumbers.bytes(wanted.get());
    long from = start.isEmpty() ? 0 : IoNumbers.bytes(start.get());
    arguments.requireRange();
    long at = IoNumbers.bytes(arguments.operands().get(0));
    int length = IoNumbers.length(arguments.operands().get(1));
    if (pattern.isEmpty() && (wanted.isPresent() || start.isPresent())) {
      throw arguments.usage();
    }
    count = wanted.isEmpty() ? length - from : count;
    if (count < 0 || from > length - count) {
      throw IoCommandException.of("pattern verification range exceeds end of read data");
    }
    if (arguments.has('b')) {
      IoShell.requireSectors(at, length);
      throw IoCommandException.of(
          "read failed: " + SystemError.of(new UnsupportedOperationException()));
    }
    run(arguments, new Request(at, length, pattern, from, count), "read");
  }

  private static Optional<Byte> pattern(IoArguments arguments) throws IoCommandException {
    Optional<String> text = arguments.value('P');
    return text.isEmpty() ? Optional.empty() : Optional.of(IoNumbers.pattern(text.get()));
  }

  /** One request over all lengths together: that they go to several buffers shows nowhere. */
  void readVector(IoArguments arguments) throws IoCommandException {
    Optional<Byte> pattern = pattern(arguments);
    if (arguments.has('i')) {
      throw IoCommandException.of("injecting invalid read request");
    }
    arguments.requireVector();
    long at = IoNumbers.bytes(arguments.operands().getFirst());
    long length = IoShell.totalLength(arguments);
    run(arguments, new Request(at, length, pattern, 0, length), "readv");
  }

  private void run(IoArguments arguments, Request request, String command)
      throws IoCommandException {
    long start = System.nanoTime();
    boolean matches = true;
    try {
      if (request.pattern().isPresent()) {
        matches =
            requests.holds(
                request.at(),
                request.length(),
                request.from(),
                request.count(),
                request.pattern().get());
      } else {
        requests.read(request.at(), request.length(), (_, _) -> {});
      }
      long nanos = System.nanoTime() - start;
      if (!matches) {
        report.line(
            "Pattern verification failed at offset %d, %d bytes"
                .formatted(request.at() + request.from(), request.count()));
      }
      if (!arguments.has('q')) {
        if (arguments.has('v')) {
          requests.read(request.at(), request.length(), (at, bytes) -> report.dump(bytes, at));
        }
        report.done("read", request.at(), request.length(), nanos, arguments.has('C'));
      }
    } catch (IOException e) {
      throw IoShell.failed(command, e);
    }
    if (!matches) {
      throw IoCommandException.silently();
    }
  }
}
