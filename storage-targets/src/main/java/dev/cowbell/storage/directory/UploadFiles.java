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
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The hidden place for objects in the making. Each file is locked by its maker as long as it is
 * open, so that leftovers of dead processes are told from uploads under way without a guess.
 */
final class UploadFiles {

  /** Names our own files, so that the sweep never opens them: closing them again would unlock. */
  private static final String PROCESS =
      HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());

  private static final AtomicLong COUNTER = new AtomicLong();

  private final Path folder;

  UploadFiles(Path folder) {
    this.folder = folder;
  }

  Path folder() {
    return folder;
  }

  /** A new file, open for reading and writing, and locked until it is closed. */
  record UploadFile(Path path, FileChannel channel) {}

  UploadFile create() throws IOException {
    while (true) {
      Path path = folder.resolve(PROCESS + "-" + COUNTER.incrementAndGet());
      FileChannel channel =
          FileChannel.open(
              path,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE,
              StandardOpenOption.CREATE_NEW,
              LinkOption.NOFOLLOW_LINKS);
      // A sweep that came between creating and locking holds the lock while it deletes the file.
      if (lock(channel) != Owner.ALIVE && Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
        return new UploadFile(path, channel);
      }
      channel.close();
    }
  }

  /** Removes files whose owners are gone, or, where locks don't tell, those older than an age. */
  int sweep(Duration minimumAge, Instant now) throws IOException {
    int swept = 0;
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        if (!file.getFileName().toString().startsWith(PROCESS) && sweep(file, minimumAge, now)) {
          swept++;
        }
      }
    } catch (NoSuchFileException e) {
      return 0;
    }
    return swept;
  }

  private static boolean sweep(Path file, Duration minimumAge, Instant now) throws IOException {
    try {
      BasicFileAttributes attributes =
          Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      if (!attributes.isRegularFile()) {
        return false;
      }
      try (FileChannel channel =
          FileChannel.open(file, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
        boolean leftOver =
            switch (lock(channel)) {
              case GONE -> true;
              case ALIVE -> false;
              case UNKNOWN ->
                  !attributes.lastModifiedTime().toInstant().isAfter(now.minus(minimumAge));
            };
        return leftOver && Files.deleteIfExists(file);
      }
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private enum Owner {
    GONE,
    ALIVE,
    UNKNOWN
  }

  /** Tries to become a file's owner; the lock is held until the channel is closed. */
  private static Owner lock(FileChannel channel) {
    try {
      FileLock lock = channel.tryLock();
      return lock == null ? Owner.ALIVE : Owner.GONE;
    } catch (IOException e) {
      return Owner.UNKNOWN;
    }
  }
}
