package dev.cowbell.agent.source;

import dev.cowbell.agent.RefusedException;
import dev.cowbell.agent.repository.DiskName;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The images of one backup, all open and locked at the same time. */
public final class OfflineImages implements Closeable {

  /**
   * An image to open.
   *
   * @param format what the user says it is; empty to go by the file
   * @param snapshot the internal snapshot to read; empty for the active state
   * @param decryption what opens the image if it is encrypted
   */
  public record Request(
      DiskName disk,
      Path path,
      Optional<ImageFormat> format,
      Optional<String> snapshot,
      Decryption decryption) {}

  /** What images are opened for. */
  public enum Access {
    /** To be read. */
    READ,
    /** To be read and, where possible, given a tracking bitmap. */
    TRACK
  }

  private final Map<DiskName, OfflineImage> images = new LinkedHashMap<>();

  private OfflineImages() {}

  /**
   * Opens all images or none.
   *
   * @throws RefusedException if two are the same file
   * @throws dev.cowbell.qcow2.ImageLockedException if somebody uses one
   */
  public static OfflineImages open(List<Request> requests, Access access) throws IOException {
    refuseSameFileTwice(requests);
    OfflineImages images = new OfflineImages();
    try {
      for (Request request : requests) {
        images.images.put(request.disk(), OfflineImage.open(request, access));
      }
      return images;
    } catch (IOException | RuntimeException e) {
      try {
        images.close();
      } catch (IOException closing) {
        e.addSuppressed(closing);
      }
      throw e;
    }
  }

  private static void refuseSameFileTwice(List<Request> requests) throws IOException {
    for (int i = 0; i < requests.size(); i++) {
      for (int j = 0; j < i; j++) {
        Path one = requests.get(j).path();
        Path other = requests.get(i).path();
        if (Files.exists(one) && Files.exists(other) && Files.isSameFile(one, other)) {
          throw new RefusedException(
              "disks %s and %s are the same file, %s"
                  .formatted(requests.get(j).disk(), requests.get(i).disk(), other));
        }
      }
    }
  }

  /** The image of a disk that was asked for. */
  public OfflineImage of(DiskName disk) {
    OfflineImage image = images.get(disk);
    if (image == null) {
      throw new IllegalArgumentException("no image was opened for disk " + disk);
    }
    return image;
  }

  @Override
  public void close() throws IOException {
    IOException failure = null;
    for (OfflineImage image : images.values()) {
      try {
        image.close();
      } catch (IOException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
