package dev.cowbell.storage.directory;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The hidden folder for objects in the making: files {@code <owner>-<number>}, and for each owner
 * (an open store) a file {@code <owner>.owner} that it keeps locked. So leftovers of dead processes
 * are told from uploads under way without a guess.
 *
 * <p>The lock is not on the uploads themselves: the kernel drops a process's locks on a file when
 * the process closes it anywhere, which even setting a file's time does.
 */
final class UploadFiles implements AutoCloseable {

  private static final Pattern NAME = Pattern.compile("([0-9a-f]{16})(-[0-9]+|\\.owner)");

  /** The owners in this process, whose files must not be opened: closing them would unlock. */
  private static final Set<String> OURS = ConcurrentHashMap.newKeySet();

  private final Path folder;
  private final AtomicLong counter = new AtomicLong();
  private @Nullable Owner owner;

  UploadFiles(Path folder) {
    this.folder = folder;
  }

  Path folder() {
    return folder;
  }

  /** A new file, open for reading and writing. */
  record UploadFile(Path path, FileChannel channel) {}

  /** Who uploads, and the file that is locked as long as it lives. */
  private record Owner(String name, Path file, FileChannel locked) {}

  UploadFile create() throws IOException {
    Path path = folder.resolve(ownerName() + "-" + counter.incrementAndGet());
    FileChannel channel =
        FileChannel.open(
            path,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE,
            StandardOpenOption.CREATE_NEW,
            LinkOption.NOFOLLOW_LINKS);
    return new UploadFile(path, channel);
  }

  private synchronized String ownerName() throws IOException {
    while (owner == null) {
      String name = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
      Path file = folder.resolve(name + ".owner");
      OURS.add(name);
      FileChannel channel =
          FileChannel.open(
              file,
              StandardOpenOption.WRITE,
              StandardOpenOption.CREATE_NEW,
              LinkOption.NOFOLLOW_LINKS);
      // A sweep that came between creating and locking holds the lock while it deletes the file.
      if (lock(channel) != Life.ALIVE && Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
        owner = new Owner(name, file, channel);
      } else {
        channel.close();
        OURS.remove(name);
      }
    }
    return owner.name();
  }

  /** Removes files whose owners are gone, or, where locks don't tell, those older than an age. */
  int sweep(Duration minimumAge, Instant now) throws IOException {
    Map<String, Life> owners = new HashMap<>();
    Instant newest = now.minus(minimumAge);
    int swept = 0;
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        Matcher name = NAME.matcher(file.getFileName().toString());
        if (name.matches() && !OURS.contains(name.group(1))) {
          Life life = owners.computeIfAbsent(name.group(1), this::life);
          boolean isUpload = name.group(2).startsWith("-");
          if (isLeftOver(file, life, newest) && Files.deleteIfExists(file) && isUpload) {
            swept++;
          }
        }
      }
    } catch (NoSuchFileException e) {
      return 0;
    }
    return swept;
  }

  private static boolean isLeftOver(Path file, Life life, Instant newest) throws IOException {
    return switch (life) {
      case GONE -> true;
      case ALIVE -> false;
      case UNKNOWN -> {
        try {
          yield !Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
              .lastModifiedTime()
              .toInstant()
              .isAfter(newest);
        } catch (NoSuchFileException e) {
          yield false;
        }
      }
    };
  }

  private enum Life {
    GONE,
    ALIVE,
    UNKNOWN
  }

  /** Whether an owner in another process lives. One that is gone loses its file here. */
  private Life life(String name) {
    Path file = folder.resolve(name + ".owner");
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
      Life life = lock(channel);
      if (life == Life.GONE) {
        // While it is locked: an owner just beginning must not take this file for its own.
        Files.deleteIfExists(file);
      }
      return life;
    } catch (NoSuchFileException e) {
      return Life.GONE;
    } catch (IOException e) {
      return Life.UNKNOWN;
    }
  }

  /** Tries to take an owner's place; the lock is held until the channel is closed. */
  private static Life lock(FileChannel channel) {
    try {
      FileLock lock = channel.tryLock();
      return lock == null ? Life.ALIVE : Life.GONE;
    } catch (IOException e) {
      return Life.UNKNOWN;
    }
  }

  @Override
  public synchronized void close() throws IOException {
    Owner gone = owner;
    owner = null;
    if (gone != null) {
      try (FileChannel _ = gone.locked()) {
        Files.deleteIfExists(gone.file());
      } finally {
        OURS.remove(gone.name());
      }
    }
  }
}
