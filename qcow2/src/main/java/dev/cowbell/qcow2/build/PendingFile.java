package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A file that appears under its name only when it is complete: until then it has another name in
 * the same folder, and {@link #close} without {@link #publish} removes it.
 */
public final class PendingFile implements Closeable {

  /** What to do with a file that has the name already. */
  public enum Existing {
    /** Fail, and leave it alone. */
    KEEP,
    REPLACE
  }

  private final Path target;
  private final Path pending;
  private final HostFile file;
  private boolean open = true;
  private boolean published;

  private PendingFile(Path target, Path pending, HostFile file) {
    this.target = target;
    this.pending = pending;
    this.file = file;
  }

  /** Creates an empty file in the folder of {@code target}, which must exist. */
  public static PendingFile of(Path target) throws IOException {
    Path real = Files.exists(target) ? target.toRealPath() : target.toAbsolutePath();
    Path folder = Objects.requireNonNull(real.getParent(), "a file is in a folder");
    if (!Files.isDirectory(folder)) {
      throw new NoSuchFileException(folder.toString());
    }
    String random = Long.toHexString(ThreadLocalRandom.current().nextLong());
    Path pending = folder.resolve(".cowbell-" + random + ".pending");
    return new PendingFile(real, pending, ChannelHostFile.createNew(pending));
  }

  /** The file's content in the making. */
  public HostFile file() {
    return file;
  }

  /**
   * Gives the file its name.
   *
   * @param durable whether content and name have to be on stable storage when this returns
   * @throws java.nio.file.FileAlreadyExistsException if there is a file of that name to be kept
   */
  public void publish(Existing existing, boolean durable) throws IOException {
    if (durable) {
      file.flush();
    }
    closeFile();
    switch (existing) {
      case REPLACE ->
          Files.move(
              pending, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      case KEEP -> {
        Files.createLink(target, pending); // unlike a rename, fails when the name is taken
        Files.delete(pending);
      }
    }
    published = true;
    if (durable) {
      try (FileChannel folder =
          FileChannel.open(Objects.requireNonNull(target.getParent()), StandardOpenOption.READ)) {
        folder.force(true);
      }
    }
  }

  private void closeFile() throws IOException {
    if (open) {
      open = false;
      file.close();
    }
  }

  @Override
  public void close() throws IOException {
    try {
      closeFile();
    } finally {
      if (!published) {
        Files.deleteIfExists(pending);
      }
    }
  }
}
