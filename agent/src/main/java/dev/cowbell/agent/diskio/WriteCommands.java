package dev.cowbell.agent.diskio;

import dev.cowbell.qcow2.WritableDisk;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import java.io.IOException;
import java.util.Optional;
import java.util.Set;

/** The commands that change a disk. */
final class WriteCommands {

  private static final byte DEFAULT_PATTERN = (byte) 0xcd;

  private final IoDisk target;
  private final IoRequests requests;
  private final IoReport report;

  WriteCommands(IoDisk target, IoRequests requests, IoReport report) {
    this.target = target;
    this.requests = requests;
    this.report = report;
  }

  @FunctionalInterface
  private interface Action {
    void run() throws IOException;
  }

  void write(IoArguments arguments) throws IoCommandException {
    Optional<String> octet = arguments.value('P');
    RequestPattern pattern =
        new RequestPattern.Octet(
            octet.isEmpty() ? DEFAULT_PATTERN : IoNumbers.pattern(octet.get()));
    arguments.requireRange();
    checkOptions(arguments);
    long at = IoNumbers.bytes(arguments.operands().get(0));
    int length = writeLength(arguments);
    if (arguments.has('b') || arguments.has('c')) {
      IoShell.requireSectors(at, length);
    }
    WritableDisk disk = writable();
    if (arguments.has('s')) {
      pattern = RequestPattern.Content.of(arguments.value('s').orElseThrow());
    }
    run(arguments, "write", at, length, action(arguments, disk, at, length, pattern));
  }

  private static void checkOptions(IoArguments arguments) throws IoCommandException {
    boolean zero = arguments.has('z');
    if (arguments.has('b') && zero) {
      throw IoCommandException.of("-b and -z cannot be specified at the same time");
    }
    if (arguments.has('f') && (arguments.has('b') || arguments.has('c'))) {
      throw IoCommandException.of("-f and -b or -c cannot be specified at the same time");
    }
    for (char onlyWithZero : new char[] {'n', 'u'}) {
      if (arguments.has(onlyWithZero) && !zero) {
        throw IoCommandException.of("-" + onlyWithZero + " requires -z to be specified");
      }
    }
    if (Set.of('z', 'P', 's').stream().filter(arguments::has).count() > 1) {
      throw IoCommandException.of("Only one of -z, -P, and -s can be specified at the same time");
    }
  }

  private static int writeLength(IoArguments arguments) throws IoCommandException {
    String text = arguments.operands().get(1);
    long length = IoNumbers.bytes(text);
    if (length > IoNumbers.MAX_REQUEST) {
      throw IoCommandException.of(
          "length cannot exceed %d without -n, given %s".formatted(IoNumbers.MAX_REQUEST, text));
    }
    return (int) length;
  }

  private Action action(
      IoArguments arguments, WritableDisk disk, long at, long length, RequestPattern pattern) {
    if (arguments.has('b')) {
      return () -> {
        throw new UnsupportedOperationException();
      };
    }
    if (arguments.has('z')) {
      return () -> requests.writeZeroes(disk, at, length, space(arguments));
    }
    if (arguments.has('c')) {
      return () -> requests.writeCompressed(at, length, pattern);
    }
    return () -> requests.write(disk, at, length, pattern);
  }

  private static ZeroSpace space(IoArguments arguments) {
    return arguments.has('u') ? ZeroSpace.MAY_FREE : ZeroSpace.KEEP;
  }

  /** {@code writev} and {@code aio_write}. */
  void writeVector(IoArguments arguments, String command) throws IoCommandException {
    Optional<String> octet = arguments.value('P');
    byte pattern = octet.isEmpty() ? DEFAULT_PATTERN : IoNumbers.pattern(octet.get());
    if (arguments.has('i')) {
      throw IoCommandException.of("injecting invalid write request");
    }
    arguments.requireVector();
    boolean zero = arguments.has('z');
    if (zero && arguments.operands().size() != 2) {
      throw IoCommandException.of("-z supports only a single length parameter");
    }
    if (arguments.has('u') && !zero) {
      throw IoCommandException.of("-u requires -z to be specified");
    }
    long at = IoNumbers.bytes(arguments.operands().getFirst());
    long length = IoShell.totalLength(arguments);
    WritableDisk disk = writable();
    run(
        arguments,
        command,
        at,
        length,
        zero
            ? () -> requests.writeZeroes(disk, at, length, space(arguments))
            : () -> requests.write(disk, at, length, new RequestPattern.Octet(pattern)));
  }

  void discard(IoArguments arguments) throws IoCommandException {
    arguments.requireRange();
    long at = IoNumbers.bytes(arguments.operands().get(0));
    int length = IoNumbers.length(arguments.operands().get(1));
    WritableDisk disk = writable();
    run(arguments, "discard", at, length, () -> requests.discard(disk, at, length));
  }

  private void run(IoArguments arguments, String command, long at, long length, Action action)
      throws IoCommandException {
    long start = System.nanoTime();
    try {
      action.run();
      if (arguments.has('f')) {
        writable().flush();
      }
    } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
      throw IoShell.failed(command, e);
    }
    if (!arguments.has('q')) {
      String verb = command.equals("discard") ? command : "wrote";
      report.done(verb, at, length, System.nanoTime() - start, arguments.has('C'));
    }
  }

  void flush() throws IoCommandException {
    try {
      if (target.writable().isPresent()) {
        target.writable().get().flush();
      }
    } catch (IOException e) {
      throw IoShell.failed("flush", e);
    }
  }

  void truncate(IoArguments arguments) throws IoCommandException {
    Optional<String> mode = arguments.value('m');
    if (mode.isPresent() && !mode.get().equals("off")) {
      throw IoCommandException.onError("Invalid preallocation mode '" + mode.get() + "'");
    }
    if (arguments.operands().size() != 1) {
      throw arguments.usage();
    }
    long size = IoNumbers.bytes(arguments.operands().getFirst());
    writable();
    try {
      target.resize(size);
    } catch (IOException | IllegalArgumentException e) {
      throw IoCommandException.onError(String.valueOf(e.getMessage()));
    }
  }

  private WritableDisk writable() throws IoCommandException {
    return target
        .writable()
        .orElseThrow(() -> IoCommandException.onError("Block node is read-only"));
  }
}
