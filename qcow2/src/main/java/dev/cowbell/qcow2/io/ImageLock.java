package dev.cowbell.qcow2.io;

import dev.cowbell.qcow2.ImageLockedException;
import java.io.Closeable;
import java.io.IOException;
import java.util.List;

/**
 * The locks by which QEMU processes, and we, tell each other how they use an image file: a shared
 * lock on byte 100 + p for each permission p in use, and on byte 200 + p for each permission that
 * others must not use. Everybody takes his locks first and looks for others' afterwards.
 */
public final class ImageLock implements Closeable {
  private static final int USED = 100;
  private static final int UNSHARED = 200;

  private enum Permission {
    CONSISTENT_READ(0, "read"),
    WRITE(1, "write to"),
    RESIZE(3, "resize");

    private final int bit;
    private final String verb;

    Permission(int bit, String verb) {
      this.bit = bit;
      this.verb = verb;
    }
  }

  /** What a file is opened for. */
  public enum Use {
    /** Reading what nobody writes meanwhile, as for a qcow2 image that QEMU reads. */
    READ,
    /** Reading whatever others do; what is read may be torn. */
    READ_UNSAFE,
    /** Reading and writing, with nobody else doing so. */
    WRITE;

    boolean writes() {
      return this == WRITE;
    }

    private List<Permission> used() {
      return switch (this) {
        case READ -> List.of(Permission.CONSISTENT_READ);
        case READ_UNSAFE -> List.of();
        case WRITE -> List.of(Permission.values());
      };
    }

    private List<Permission> unshared() {
      return this == READ_UNSAFE ? List.of() : List.of(Permission.WRITE, Permission.RESIZE);
    }
  }

  private final NativeFile file;
  private final Use use;

  private ImageLock(NativeFile file, Use use) {
    this.file = file;
    this.use = use;
  }

  /**
   * Locks a file, unless it is on a file system without locks.
   *
   * @param name for messages
   * @throws ImageLockedException if somebody's use rules ours out, or ours his
   */
  static ImageLock acquire(NativeFile file, String name, Use use) throws IOException {
    ImageLock lock = new ImageLock(file, use);
    if (use == Use.READ_UNSAFE || !file.supportsLocks()) {
      return lock;
    }
    boolean done = false;
    try {
      lock.take(name);
      lock.lookForOthers(name);
      done = true;
      return lock;
    } finally {
      if (!done) {
        lock.close();
      }
    }
  }

  private void take(String name) throws IOException {
    for (Permission permission : use.used()) {
      take(name, USED + permission.bit);
    }
    for (Permission permission : use.unshared()) {
      take(name, UNSHARED + permission.bit);
    }
  }

  private void take(String name, int at) throws IOException {
    if (!file.lockShared(at)) {
      throw new ImageLockedException(
          name + ": another process has byte " + at + " of the file locked for itself");
    }
  }

  private void lookForOthers(String name) throws ImageLockedException {
    for (Permission permission : use.used()) {
      if (file.isLockedByAnother(UNSHARED + permission.bit)) {
        throw inUse(name, "does not let others " + permission.verb + " it");
      }
    }
    for (Permission permission : use.unshared()) {
      if (file.isLockedByAnother(USED + permission.bit)) {
        throw inUse(name, "may " + permission.verb + " it");
      }
    }
  }

  private ImageLockedException inUse(String name, String how) {
    return new ImageLockedException(
        "%s: the image is in use by another process (a running VM?), which %s; %s"
            .formatted(
                name,
                how,
                use.writes() ? "stop it first" : "stop it, or back it up through its QMP socket"));
  }

  /** Gives up all locks; the file stays open. */
  @Override
  public void close() {
    for (Permission permission : use.used()) {
      file.unlock(USED + permission.bit);
    }
    for (Permission permission : use.unshared()) {
      file.unlock(UNSHARED + permission.bit);
    }
  }
}
