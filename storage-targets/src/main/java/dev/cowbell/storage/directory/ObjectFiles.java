package dev.cowbell.storage.directory;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectNotFoundException;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.StoreException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.Optional;

/**
 * The files that objects are, found without ever following a symbolic link: a repository from
 * elsewhere must not lead out of its directory. (Someone who can swap directories for links while
 * we work owns the directory anyway.)
 *
 * <p>The version of a file is its size and its modification time in nanoseconds. Files are never
 * changed in place, and whoever replaces one makes sure, under the {@link CommitLock}, that the new
 * time is later than the old one; so no two versions of a key look alike, whatever the clock or the
 * file system's resolution. Unlike inode numbers these survive {@code cp -a} and {@code rsync -a}.
 */
final class ObjectFiles {

  private final Path root;

  /**
   * @param root an existing directory, as {@link Path#toRealPath} gives it
   */
  ObjectFiles(Path root) {
    this.root = root;
  }

  Path root() {
    return root;
  }

  /**
   * Where an object lies, or would lie.
   *
   * @throws StoreException if that is behind a symbolic link
   */
  Path path(ObjectKey key) throws IOException {
    Path path = root.resolve(key.value());
    requireNoLink(DurableDirectories.parent(path));
    return path;
  }

  /** Refuses a directory inside the root that is reached through symbolic links. */
  void requireNoLink(Path directory) throws IOException {
    Path present = directory;
    while (!Files.exists(present, LinkOption.NOFOLLOW_LINKS)) {
      present = present.getParent();
      if (present == null) {
        throw new StoreException(root + " does not exist");
      }
    }
    if (!present.startsWith(root)) {
      throw new StoreException(root + " does not exist any more");
    }
    Path real;
    try {
      real = present.toRealPath();
    } catch (NoSuchFileException e) {
      throw new StoreException(present + " is a symbolic link, which is not followed", e);
    }
    if (!real.equals(present)) {
      throw new StoreException(present + " is reached by a symbolic link, which is not followed");
    }
  }

  /** The object's file; empty if there is nothing. */
  Optional<ObjectInfo> find(ObjectKey key) throws IOException {
    Path path = path(key);
    BasicFileAttributes attributes;
    try {
      attributes = Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (java.nio.file.FileSystemException e) {
      // A parent is a file: then there can be no such object.
      if (Files.isDirectory(DurableDirectories.parent(path), LinkOption.NOFOLLOW_LINKS)) {
        throw e;
      }
      return Optional.empty();
    }
    if (!attributes.isRegularFile()) {
      throw new StoreException(path + " is no regular file but " + kind(attributes));
    }
    return Optional.of(info(key, attributes));
  }

  private static String kind(BasicFileAttributes attributes) {
    if (attributes.isDirectory()) {
      return "a directory";
    }
    return attributes.isSymbolicLink()
        ? "a symbolic link, which is not followed"
        : "a device or pipe";
  }

  /** Opens an object for reading, the very version that is asked for. */
  FileChannel open(ObjectKey key, Optional<ETag> ifMatch) throws IOException {
    // Versions of a key never return, so the same one before and after is the one that was opened.
    ObjectInfo before = require(key, ifMatch);
    FileChannel channel;
    try {
      channel = FileChannel.open(path(key), StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
    } catch (NoSuchFileException e) {
      throw new ObjectNotFoundException(key + " does not exist in " + root, e);
    }
    try {
      if (ifMatch.isPresent()) {
        require(key, Optional.of(before.etag()));
      }
      return channel;
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** What is known of an object that has to be there, in the version that is asked for. */
  ObjectInfo require(ObjectKey key, Optional<ETag> ifMatch) throws IOException {
    ObjectInfo found =
        find(key)
            .orElseThrow(() -> new ObjectNotFoundException(key + " does not exist in " + root));
    if (ifMatch.isPresent() && !ifMatch.get().equals(found.etag())) {
      throw new PreconditionFailedException(
          key + " in " + root + " is version " + found.etag() + ", not " + ifMatch.get());
    }
    return found;
  }

  static ObjectInfo info(ObjectKey key, BasicFileAttributes attributes) {
    Instant modified = attributes.lastModifiedTime().toInstant();
    long nanos =
        Math.addExact(
            Math.multiplyExact(clamp(modified.getEpochSecond()), 1_000_000_000L),
            modified.getNano());
    ETag etag = new ETag(Long.toHexString(attributes.size()) + "-" + Long.toHexString(nanos));
    return new ObjectInfo(key, attributes.size(), etag, modified);
  }

  /** Times that a file system may claim but nanoseconds in a long can't hold. */
  private static long clamp(long epochSecond) {
    return Math.clamp(epochSecond, -9_000_000_000L, 9_000_000_000L);
  }
}
