package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.qcow2.io.HostIo;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** What becomes of writes on their way to the disk, in qemu-img's words. */
enum CacheMode {
  /** Through the host's cache; on stable storage when the command has ended. */
  WRITEBACK,
  /** The same, each write by itself. */
  WRITETHROUGH,
  /** Past the host's cache. */
  NONE,
  /** Past the host's cache, each write by itself. */
  DIRECTSYNC,
  /** Through the host's cache; whenever the host likes. */
  UNSAFE;

  /**
   * The mode of a name.
   *
   * @param option what the name was given to
   */
  static CacheMode of(String option, String name) throws CommandFailedException {
    for (CacheMode mode : values()) {
      if (mode.word().equals(name)) {
        return mode;
      }
    }
    throw CommandFailedException.usage(
        "%s: '%s' is not allowed, but %s"
            .formatted(
                option,
                name,
                Arrays.stream(values()).map(CacheMode::word).collect(Collectors.joining(", "))));
  }

  private String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Whether the host's cache is passed by. */
  boolean isDirect() {
    return this == NONE || this == DIRECTSYNC;
  }

  /** Whether each write is to be on stable storage before the next step. */
  boolean isWriteThrough() {
    return this == WRITETHROUGH || this == DIRECTSYNC;
  }

  /** How files are read and written in this mode. */
  HostIo io() {
    return isDirect() ? HostIo.DIRECT : HostIo.CHANNEL;
  }
}
