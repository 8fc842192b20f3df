package dev.cowbell.storage.directory;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Directories whose names are on stable storage. A directory that merely exists may have been made
 * by a process that died before it synced the parent: a file in it, however well synced, would be
 * lost with it when the power goes.
 */
final class DurableDirectories {

  private final Path root;
  private final Set<Object> known = ConcurrentHashMap.newKeySet();

  DurableDirectories(Path root) {
    this.root = root;
  }

  /** Makes {@code directory}, which is the root or lies under it, with all its parents, durably. */
  void make(Path directory) throws IOException {
    if (directory.equals(root)) {
      return;
    }
    makeOne(directory);
    Object identity = identity(directory);
    if (known.contains(identity)) {
      return;
    }
    Path parent = parent(directory);
    make(parent);
    sync(parent);
    known.add(identity);
  }

  private void makeOne(Path directory) throws IOException {
    if (Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    Path parent = parent(directory);
    if (!parent.equals(root)) {
      makeOne(parent);
    }
    try {
      Files.createDirectory(directory);
    } catch (FileAlreadyExistsException e) {
      if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
        throw e;
      }
    }
  }

  /** Removes {@code directory} and its parents up to the root, as long as they are empty. */
  void removeIfEmpty(Path directory) throws IOException {
    for (Path d = directory; !d.equals(root); d = parent(d)) {
      try {
        Object identity = identity(d);
        Files.delete(d);
        known.remove(identity);
      } catch (java.nio.file.DirectoryNotEmptyException | java.nio.file.NoSuchFileException _) {
        return;
      }
    }
  }

  /** Brings a directory's entries to stable storage. */
  static void sync(Path directory) throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  /** Makes a root and whatever of its parents is missing, durably. */
  static void makeRoot(Path path) throws IOException {
    Path existing = path;
    while (!Files.isDirectory(existing) && existing.getParent() != null) {
      existing = existing.getParent();
    }
    new DurableDirectories(existing.toRealPath())
        .make(existing.toRealPath().resolve(existing.relativize(path)).normalize());
  }

  /** The directory above one that is not the file system's root. */
  static Path parent(Path path) {
    return Objects.requireNonNull(path.getParent(), () -> path + " has no parent");
  }

  private static Object identity(Path directory) throws IOException {
    Object key =
        Files.readAttributes(directory, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
            .fileKey();
    return key == null ? directory : key;
  }
}
