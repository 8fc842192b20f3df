package dev.cowbell.qcow2.amend;

import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.check.ImageRepair;
import dev.cowbell.qcow2.crypto.LuksArea;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.RefcountWidth;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import dev.cowbell.qcow2.refcount.RefcountWidthChange;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Changes the format of an image that nobody has open, as {@code qemu-img amend} does; one that was
 * not closed (dirty bit) is repaired first. Each change is put in force by one write of the header;
 * a crash leaves the image with some of the changes made, and leaked clusters at most.
 */
public final class ImageAmendment {

  private ImageAmendment() {}

  /**
   * Opens a file, with QEMU's locks for writing, and amends it.
   *
   * @throws ImageException if the image, as it is, can't become what is wanted; it is as before,
   *     but for changes named before the one that failed: key slots, version 3, refcount width,
   *     lazy refcounts, version 2
   */
  public static void run(Path path, AmendOptions wanted) throws IOException {
    try (HostFile file = ChannelHostFile.open(path, ImageLock.Use.WRITE)) {
      run(file, wanted);
    }
  }

  /** {@link #run(Path, AmendOptions)} for a file that is open and locked. */
  public static void run(HostFile file, AmendOptions wanted) throws IOException {
    ImageRepair.recoverDirty(file);
    HeadWriter head = HeadWriter.open(file);
    try {
      // Refuses images that can't be written to.
      ClusterAllocator.open(file, head);
      check(head.head().header(), wanted);
      amend(file, head, wanted);
    } catch (ImageException e) {
      throw e.in(file.name());
    }
  }

  private static void check(Header header, AmendOptions wanted) throws ImageException {
    int version = wanted.version().orElse(header.version());
    RefcountWidth width = wanted.refcountWidth().orElse(header.refcountWidth());
    if (version < 3 && !width.equals(RefcountWidth.DEFAULT)) {
      throw new UnsupportedFeatureException(
          "version 2 (compat=0.10) has refcounts of 16 bits, not of " + width.bits());
    }
    if (version < 3 && wanted.lazyRefcounts().orElse(false)) {
      throw new UnsupportedFeatureException(
          "version 2 (compat=0.10) has no lazy refcounts, version 3 (compat=1.1) has");
    }
    if (wanted.keySlots().isPresent() && header.cryptMethod() != CryptMethod.LUKS) {
      throw new UnsupportedFeatureException("the image is not encrypted with LUKS: no key slots");
    }
  }

  private static void amend(HostFile file, HeadWriter head, AmendOptions wanted)
      throws IOException {
    if (wanted.keySlots().isPresent()) {
      wanted.keySlots().get().apply(LuksArea.open(file, head.head()));
    }
    int version = wanted.version().orElse(head.head().header().version());
    if (version > head.head().header().version()) {
      head.replace(head.head().withHeader(head.head().header().change().version3().build()));
    }
    if (wanted.refcountWidth().isPresent()) {
      RefcountWidthChange.run(file, head, wanted.refcountWidth().get());
    }
    boolean lazy = head.head().header().features().has(Feature.LAZY_REFCOUNTS);
    if (version >= 3 && wanted.lazyRefcounts().orElse(lazy) != lazy) {
      head.clearUnknownAutoclear();
      head.setLazyRefcounts(!lazy);
    }
    if (version < head.head().header().version()) {
      new Downgrade(file, head).run();
    }
  }
}
