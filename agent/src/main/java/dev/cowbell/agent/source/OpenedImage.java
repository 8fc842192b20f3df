package dev.cowbell.agent.source;

import dev.cowbell.agent.RefusedException;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.source.DiskFacts.TrackingAbility;
import dev.cowbell.agent.source.OfflineImages.Access;
import dev.cowbell.qcow2.EncryptedImageException;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.ReferenceException;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * An image that was opened, and what it turned out to be.
 *
 * @param disk the image, with the files below it
 * @param tracking whether it can be given a tracking bitmap
 */
record OpenedImage(MappedDisk disk, ImageFormat format, TrackingAbility tracking) {

  private static final int SECTOR = 512;

  private enum References {
    FOLLOW,
    REFUSE;

    OpenOptions options() {
      return this == FOLLOW ? OpenOptions.following() : OpenOptions.strict();
    }
  }

  /**
   * Opens an image.
   *
   * @param stated what the user says it is. If empty the file itself decides, which is as good as
   *     letting whoever wrote its first bytes decide: so a file that is called raw is never taken
   *     for qcow2, and references to other files are followed only in what is called qcow2.
   */
  static OpenedImage open(
      Path path, Optional<ImageFormat> stated, Access access, Decryption decryption)
      throws IOException {
    ImageFormat format = stated.isPresent() ? stated.get() : probe(path);
    if (format == ImageFormat.RAW) {
      return new OpenedImage(
          RawDisk.adopt(ChannelHostFile.open(path, ImageLock.Use.READ)),
          format,
          new TrackingAbility.Unable("a raw image holds no bitmaps"));
    }
    boolean trusted = stated.isPresent() || isCalled(path, ".qcow2");
    return openQcow2(path, trusted ? References.FOLLOW : References.REFUSE, access, decryption);
  }

  private static ImageFormat probe(Path path) throws IOException {
    ByteBuffer start = ByteBuffer.allocate(SECTOR);
    try (HostFile file = ChannelHostFile.openReadOnly(path)) {
      file.readPadded(0, start);
    }
    if (!Header.isQcow2(start.rewind())) {
      if (isCalled(path, ".qcow2")) {
        throw new RefusedException(
            "%s is called qcow2 but does not begin as a qcow2 image does: its header is damaged, or its name is wrong"
                .formatted(path),
            "--format raw copies it as it is");
      }
      return ImageFormat.RAW;
    }
    if (isCalled(path, ".raw") || !Files.isRegularFile(path)) {
      throw new RefusedException(
          "%s is called raw but begins as qcow2 does: a guest can write that to its disk"
              .formatted(path),
          "say which it is with --format");
    }
    return ImageFormat.QCOW2;
  }

  private static boolean isCalled(Path path, String extension) {
    return path.toString().toLowerCase(Locale.ROOT).endsWith(extension);
  }

  private static OpenedImage openQcow2(
      Path path, References references, Access access, Decryption decryption) throws IOException {
    boolean writable = access == Access.TRACK && Files.isWritable(path);
    HostFile file = ChannelHostFile.open(path, writable ? ImageLock.Use.WRITE : ImageLock.Use.READ);
    try {
      Qcow2Image image =
          Qcow2Image.adopt(file, references.options().withPassphrases(decryption.passphrases()));
      return accepted(
          new OpenedImage(image, ImageFormat.QCOW2, tracking(image, path)), path, decryption);
    } catch (ReferenceException e) {
      throw references == References.FOLLOW
          ? e
          : new RefusedException(
              String.valueOf(e.getMessage()),
              "--format qcow2 says that the image is to be trusted");
    } catch (EncryptedImageException e) {
      throw new RefusedException(
          String.valueOf(e.getMessage()),
          "--passphrase-file FILE (--backing-passphrase-file for the files below it) opens it, and"
              + " --store-decrypted accepts that what is stored is plain");
    }
  }

  private static OpenedImage accepted(OpenedImage opened, Path path, Decryption decryption)
      throws IOException {
    Optional<String> encryption = encryption(opened.layers());
    if (encryption.isPresent() && decryption.storage() == Decryption.Storage.REFUSED) {
      opened.disk().close();
      throw new RefusedException(
          "%s is encrypted (%s), and what a backup stores of it is plain"
              .formatted(path, encryption.get()),
          "--store-decrypted accepts that; keep the repository on encrypted storage");
    }
    return opened;
  }

  /** The image and the files below it, from the top down. */
  List<MappedDisk> layers() {
    List<MappedDisk> layers = new ArrayList<>();
    Optional<MappedDisk> next = Optional.of(disk);
    while (next.isPresent()) {
      layers.add(next.get());
      next = next.get() instanceof Qcow2Image image ? image.backing() : Optional.empty();
    }
    return layers;
  }

  /** How the topmost of the encrypted layers is encrypted, in a word; empty if none is. */
  static Optional<String> encryption(List<MappedDisk> layers) {
    return layers.stream()
        .filter(Qcow2Image.class::isInstance)
        .map(layer -> ((Qcow2Image) layer).head().header().cryptMethod())
        .filter(method -> method != CryptMethod.NONE)
        .map(method -> method.name().toLowerCase(Locale.ROOT))
        .findFirst();
  }

  private static TrackingAbility tracking(Qcow2Image image, Path path) {
    if (image.head().header().version() < 3) {
      return new TrackingAbility.Unable(
          "a qcow2 image of version 2 holds no bitmaps; qemu-img amend -o compat=1.1 makes it 3");
    }
    return Files.isWritable(path)
        ? new TrackingAbility.Able()
        : new TrackingAbility.Unable(path + " can't be written");
  }

  /**
   * The image, if it is qcow2.
   *
   * @param otherwise what another image lacks, such as "holds no bitmaps"
   * @throws RefusedException if it is not
   */
  Qcow2Image qcow2(DiskName name, String otherwise) throws RefusedException {
    if (disk instanceof Qcow2Image image) {
      return image;
    }
    throw new RefusedException("disk %s: a raw image %s".formatted(name, otherwise));
  }
}
