package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.HostIo;
import dev.cowbell.qcow2.io.ImageLock;
import dev.cowbell.qcow2.io.ReservingHostFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

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

  /** A file that has the name already, locked so that nobody writes to what is to be replaced. */
  private final @Nullable HostFile present;

  private boolean open = true;
  private boolean published;

  private PendingFile(Path target, Path pending, HostFile file, @Nullable HostFile present) {
    this.present = present;
    this.target = target;
    this.pending = pending;
    this.file = file;
  }

  /**
   * Creates an empty file in the folder of {@code target}, which must exist.
   *
   * @throws dev.cowbell.qcow2.ImageLockedException if another program uses a file of that name
   */
  public static PendingFile of(Path target) throws IOException {
    return of(target, HostIo.CHANNEL);
  }

  /** The same, written in a way of one's own. */
  public static PendingFile of(Path target, HostIo io) throws IOException {
    Path real = Files.exists(target) ? target.toRealPath() : target.toAbsolutePath();
    Path folder = Objects.requireNonNull(real.getParent(), "a file is in a folder");
    if (!Files.isDirectory(folder)) {
      throw new NoSuchFileException(folder.toString());
    }
    String random = Long.toHexString(ThreadLocalRandom.current().nextLong());
    Path pending = folder.resolve(".cowbell-" + random + ".pending");
    HostFile present =
        Files.isRegularFile(real) ? ChannelHostFile.open(real, ImageLock.Use.WRITE) : null;
    try {
      return new PendingFile(real, pending, createNew(pending, io), present);
    } catch (IOException | RuntimeException e) {
      if (present != null) {
        present.close();
      }
      throw e;
    }
  }

  private static HostFile createNew(Path path, HostIo io) throws IOException {
    if (io == HostIo.CHANNEL) {
      return ReservingHostFile.over(ChannelHostFile.createNew(path));
    }
    Files.createFile(path);
    try {
      return io.open(path, ImageLock.Use.WRITE);
    } catch (IOException | RuntimeException e) {
      Files.delete(path);
      throw e;
    }
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
    if (existing == Existing.REPLACE && present != null) {
      keepRights();
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

  /** Gives the new file the owner and the permissions of the one that it replaces. */
  private void keepRights() throws IOException {
    PosixFileAttributeView from = Files.getFileAttributeView(target, PosixFileAttributeView.class);
    PosixFileAttributeView to = Files.getFileAttributeView(pending, PosixFileAttributeView.class);
    if (from == null || to == null) {
      return;
    }
    PosixFileAttributes rights = from.readAttributes();
    PosixFileAttributes ours = to.readAttributes();
    try {
      if (!rights.group().equals(ours.group())) {
        to.setGroup(rights.group());
      }
      if (!rights.owner().equals(ours.owner())) {
        to.setOwner(rights.owner());
      }
    } catch (FileSystemException _) {
      // Only root may give files away; anybody else becomes the owner of what he makes.
    }
    to.setPermissions(rights.permissions());
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
      if (present != null) {
        present.close();
      }
      if (!published) {
        Files.deleteIfExists(pending);
      }
    }
  }
}
