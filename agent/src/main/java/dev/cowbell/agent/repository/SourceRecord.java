package dev.cowbell.agent.repository;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What a disk's bytes came from. For people and for deciding whether a later image is the same
 * disk; never opened.
 *
 * @param path the image file
 * @param format {@code qcow2} or {@code raw}
 * @param encryption how the image, or else the nearest file below it, was encrypted: {@code luks}
 *     or {@code aes}; empty if none was. What is stored is plain in any case
 * @param snapshot the internal snapshot that was read; empty for the active state
 * @param backing the files below the image, nearest first
 */
public record SourceRecord(
    String path,
    String format,
    Optional<String> encryption,
    Optional<SnapshotIdentity> snapshot,
    List<BackingIdentity> backing) {

  static final int MAX_PATH = 4096;
  static final int MAX_FORMAT = 16;
  static final int MAX_ENCRYPTION = 16;

  /** More layers than any chain that is opened may have. */
  static final int MAX_BACKING = 1024;

  public SourceRecord {
    backing = List.copyOf(backing);
  }

  /**
   * Tells a snapshot from another one that later got its name.
   *
   * @param id unique in its image while it exists
   * @param name as the user gave it
   * @param date the host's time when it was made
   * @param vmClockNanos how long the guest had run by then
   */
  public record SnapshotIdentity(String id, String name, Instant date, long vmClockNanos) {
    static final int MAX_TEXT = 65535;
  }

  /**
   * Tells whether a backing file is still the one it was.
   *
   * @param path the file
   * @param size in bytes
   * @param modified when it was last written, in milliseconds
   */
  public record BackingIdentity(String path, long size, Instant modified) {}
}
