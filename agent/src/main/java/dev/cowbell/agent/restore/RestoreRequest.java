package dev.cowbell.agent.restore;

import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.qcow2.crypto.Passphrase;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What the user wants rebuilt.
 *
 * @param which the point
 * @param disk the only disk to rebuild; empty for all
 * @param target a file, a block device, or a directory
 * @param format of the result
 * @param existing what to do about a file that is there
 * @param tracking whether the result gets the point's tracking bitmap
 * @param passphrase opens the result, which is encrypted then; empty for a plain one. The caller's
 *     to close
 */
public record RestoreRequest(
    VmName vm,
    PointChoice which,
    Optional<DiskName> disk,
    Path target,
    Format format,
    Existing existing,
    Tracking tracking,
    Optional<Passphrase> passphrase) {

  /** A request for a result that is not encrypted. */
  public RestoreRequest(
      VmName vm,
      PointChoice which,
      Optional<DiskName> disk,
      Path target,
      Format format,
      Existing existing,
      Tracking tracking) {
    this(vm, which, disk, target, format, existing, tracking, Optional.empty());
  }

  /** The formats that a disk can be rebuilt in. */
  public enum Format {
    RAW,
    QCOW2;

    /** The word used on the command line, and the extension of files in a directory. */
    public String word() {
      return this == RAW ? "raw" : "qcow2";
    }
  }

  /** What to do about a file that is there. */
  public enum Existing {
    REFUSE,
    OVERWRITE
  }

  /**
   * Whether the result gets the point's tracking bitmap, so that its first backup is incremental.
   */
  public enum Tracking {
    NONE,
    ADD
  }
}
