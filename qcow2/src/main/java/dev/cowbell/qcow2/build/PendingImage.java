package dev.cowbell.qcow2.build;

import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.HostIo;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The file of a new image and, where its data goes to another one, that file as well. */
public final class PendingImage implements Closeable {
  private final PendingFile image;
  private final @Nullable PendingFile data;

  private PendingImage(PendingFile image, @Nullable PendingFile data) {
    this.image = image;
    this.data = data;
  }

  /**
   * Creates the files.
   *
   * @param dataFile relative to the working directory, as QEMU takes the names of data files
   */
  public static PendingImage of(Path image, Optional<Path> dataFile) throws IOException {
    return of(image, dataFile, HostIo.CHANNEL);
  }

  /** The same, written in a way of one's own. */
  public static PendingImage of(Path image, Optional<Path> dataFile, HostIo io) throws IOException {
    PendingFile data = dataFile.isPresent() ? PendingFile.of(dataFile.get(), io) : null;
    try {
      return new PendingImage(PendingFile.of(image, io), data);
    } catch (IOException | RuntimeException e) {
      if (data != null) {
        data.close();
      }
      throw e;
    }
  }

  public HostFile file() {
    return image.file();
  }

  public Optional<HostFile> dataFile() {
    return Optional.ofNullable(data).map(PendingFile::file);
  }

  /** Gives the files their names, the data's first, as the image refers to it. */
  public void publish(PendingFile.Existing existing, boolean durable) throws IOException {
    if (data != null) {
      data.publish(existing, durable);
    }
    image.publish(existing, durable);
  }

  @Override
  public void close() throws IOException {
    try (PendingFile _ = image;
        PendingFile _ = data) {
      // Both are removed unless they were published.
    }
  }
}
