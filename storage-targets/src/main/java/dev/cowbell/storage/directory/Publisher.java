package dev.cowbell.storage.directory;

import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.directory.UploadFiles.UploadFile;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;

/**
 * Makes finished files visible under their keys, and takes them away again. The commit point is one
 * rename or link; everything before it is on stable storage by then, the name itself when the call
 * returns.
 */
final class Publisher {

  /** Each resolution that file systems keep times in, finest first. */
  private static final long[] TIME_STEPS = {1, 100, 1_000, 1_000_000, 1_000_000_000, 2_000_000_000};

  private final ObjectFiles files;
  private final DurableDirectories directories;
  private final CommitLock lock;
  private final InstantSource clock;

  Publisher(
      ObjectFiles files, DurableDirectories directories, CommitLock lock, InstantSource clock) {
    this.files = files;
    this.directories = directories;
    this.lock = lock;
    this.clock = clock;
  }

  /** Fails if the precondition does not hold as things stand. */
  void check(ObjectKey key, Precondition precondition) throws IOException {
    Precondition.check(precondition, key, files.find(key), files.root().toString());
  }

  /** Turns {@code file}, complete but for being synced, into the object {@code key}. */
  ObjectInfo publish(UploadFile file, ObjectKey key, Precondition precondition) throws IOException {
    stamp(file, clock.instant());
    file.channel().force(true);
    ObjectInfo published =
        lock.during(() -> {
          Optional<ObjectInfo> old = files.find(key);
          Precondition.check(precondition, key, old, files.root().toString());
          if (old.isPresent()) {
            stampAfter(file, old.get().lastModified());
          }
          Path target = files.path(key);
          directories.make(DurableDirectories.parent(target));
          move(file.path(), target, precondition);
          return files.require(key, Optional.empty());
        });
    DurableDirectories.sync(DurableDirectories.parent(files.path(key)));
    return published;
  }

  private void move(Path from, Path to, Precondition precondition) throws IOException {
    if (precondition instanceof Precondition.IfAbsent && link(from, to)) {
      Files.delete(from);
    } else {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    }
  }

  /**
   * Gives a file its name unless that is taken, atomically even where the file system's locks don't
   * reach every machine.
   *
   * @return false if this file system has no hard links
   */
  private boolean link(Path from, Path to) throws IOException {
    try {
      Files.createLink(to, from);
      return true;
    } catch (FileAlreadyExistsException e) {
      throw new PreconditionFailedException(to + " exists already", e);
    } catch (UnsupportedOperationException | java.nio.file.FileSystemException e) {
      if (Files.exists(to, LinkOption.NOFOLLOW_LINKS)) {
        throw new PreconditionFailedException(to + " exists already", e);
      }
      return false;
    }
  }

  void delete(Collection<ObjectKey> keys) throws IOException {
    Set<Path> parents = new LinkedHashSet<>();
    lock.during(() -> {
      for (ObjectKey key : keys) {
        if (files.find(key).isPresent()) {
          Path path = files.path(key);
          Files.deleteIfExists(path);
          parents.add(DurableDirectories.parent(path));
        }
      }
      for (Path parent : parents) {
        DurableDirectories.sync(parent);
      }
      for (Path parent : parents) {
        directories.removeIfEmpty(parent);
      }
      return parents;
    });
  }

  private static void stampAfter(UploadFile file, Instant old) throws IOException {
    if (modified(file).isAfter(old)) {
      return;
    }
    for (long step : TIME_STEPS) {
      stamp(file, old.plusNanos(step));
      if (modified(file).isAfter(old)) {
        file.channel().force(true);
        return;
      }
    }
    throw new StoreException(file.path() + ": this file system keeps no modification times");
  }

  private static void stamp(UploadFile file, Instant time) throws IOException {
    Files.setLastModifiedTime(file.path(), FileTime.from(time));
  }

  private static Instant modified(UploadFile file) throws IOException {
    return Files.readAttributes(file.path(), BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
        .lastModifiedTime()
        .toInstant();
  }
}
