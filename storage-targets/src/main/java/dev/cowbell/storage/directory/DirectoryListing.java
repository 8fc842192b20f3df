package dev.cowbell.storage.directory;

import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Walks the objects under a prefix in key order, holding one folder per level at a time. Hidden
 * files, links, devices and names that no key has are not ours and are passed over.
 */
final class DirectoryListing implements Iterator<ObjectInfo> {

  /** A file, or a folder when {@code info} is null; {@code name} of a folder ends with a slash. */
  private record Entry(String name, @Nullable ObjectInfo info) {}

  private final Path root;
  private final String prefix;
  private final Optional<ObjectKey> after;
  private final Deque<Iterator<Entry>> levels = new ArrayDeque<>();
  private @Nullable ObjectInfo next;

  DirectoryListing(Path root, String prefix, Optional<ObjectKey> after) throws IOException {
    this.root = root;
    this.prefix = prefix;
    this.after = after;
    levels.push(entries(prefix.substring(0, prefix.lastIndexOf('/') + 1)));
  }

  @Override
  public boolean hasNext() {
    try {
      while (next == null && !levels.isEmpty()) {
        Iterator<Entry> level = levels.element();
        if (!level.hasNext()) {
          levels.pop();
          continue;
        }
        Entry entry = level.next();
        if (entry.info() == null) {
          levels.push(entries(entry.name()));
        } else {
          next = entry.info();
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(FileErrors.explain("listing " + root, e));
    }
    return next != null;
  }

  @Override
  public ObjectInfo next() {
    if (!hasNext() || next == null) {
      throw new NoSuchElementException();
    }
    ObjectInfo found = next;
    next = null;
    return found;
  }

  /**
   * The entries of one folder that may matter.
   *
   * @param folder empty, or with a slash at its end
   */
  private Iterator<Entry> entries(String folder) throws IOException {
    List<Entry> entries = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(root.resolve(folder))) {
      for (Path file : files) {
        String name = folder + file.getFileName();
        if (ObjectKey.isKey(name)) {
          Entry entry = entry(name, file);
          if (entry != null && isWanted(entry)) {
            entries.add(entry);
          }
        }
      }
    } catch (NoSuchFileException | NotDirectoryException e) {
      if (folder.isEmpty()) {
        throw e;
      }
      return Collections.emptyIterator();
    } catch (java.nio.file.DirectoryIteratorException e) {
      throw e.getCause();
    }
    entries.sort((a, b) -> a.name().compareTo(b.name()));
    return entries.iterator();
  }

  private static @Nullable Entry entry(String name, Path file) throws IOException {
    try {
      BasicFileAttributes attributes =
          Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      if (attributes.isDirectory()) {
        return new Entry(name + "/", null);
      }
      return attributes.isRegularFile()
          ? new Entry(name, ObjectFiles.info(new ObjectKey(name), attributes))
          : null;
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  private boolean isWanted(Entry entry) {
    String name = entry.name();
    if (entry.info() != null) {
      return name.startsWith(prefix)
          && (after.isEmpty() || name.compareTo(after.get().value()) > 0);
    }
    boolean reachesPrefix = name.startsWith(prefix) || prefix.startsWith(name);
    boolean reachesBeyond =
        after.isEmpty()
            || name.compareTo(after.get().value()) > 0
            || after.get().value().startsWith(name);
    return reachesPrefix && reachesBeyond;
  }
}
