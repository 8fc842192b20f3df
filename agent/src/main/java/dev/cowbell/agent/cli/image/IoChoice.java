package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.qcow2.io.HostIo;
import picocli.CommandLine.Option;

/** Mix-in: how the host's files are read and written, in qemu-img's words. */
final class IoChoice {

  @Option(
      names = "-t",
      paramLabel = "CACHE",
      description =
          "writeback (default), writethrough, unsafe; past the host's cache: none, directsync.")
  private String cache = "writeback";

  @Option(
      names = {"-i", "--aio"},
      paramLabel = "AIO",
      description =
          "threads (default), io_uring, native (which needs none or directsync), or auto: io_uring"
              + " where the kernel allows it.")
  private String aio = "threads";

  /** The way the options name. */
  HostIo io() throws CommandFailedException {
    boolean direct = mode().isDirect();
    return switch (aio) {
      case "threads" -> direct ? HostIo.DIRECT : HostIo.CHANNEL;
      case "io_uring" -> direct ? HostIo.DIRECT_IO_URING : HostIo.IO_URING;
      case "auto" -> direct ? HostIo.DIRECT : HostIo.AUTO;
      case "native" -> {
        if (!direct) {
          throw CommandFailedException.usage("-i native needs -t none or -t directsync");
        }
        yield HostIo.DIRECT;
      }
      default ->
          throw CommandFailedException.usage(
              "-i: " + aio + " is not allowed, but threads, native, io_uring, auto");
    };
  }

  private CacheMode mode() throws CommandFailedException {
    return CacheMode.of("-t", cache);
  }

  /** Whether each write is to be on stable storage before the next step. */
  boolean isWriteThrough() throws CommandFailedException {
    return mode().isWriteThrough();
  }

  /** Whether flushes are left out. */
  boolean isUnsafe() throws CommandFailedException {
    return mode() == CacheMode.UNSAFE;
  }
}
