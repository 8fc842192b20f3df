package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.util.Optional;

/**
 * Checks a qcow2 image as {@code qemu-img check} does: every host cluster's refcount against the
 * references to it, and every entry of every table against the rules. Nothing is written. The
 * backing file is not looked at.
 *
 * <p>Memory is bounded whatever the file's size: the file is looked at in windows of {@value
 * ReferenceCounts#WINDOW} clusters.
 */
public final class ImageCheck {
  private static final int SECTOR = 512;

  /** The most host clusters that are checked; QEMU's bound as well. */
  private static final long MAX_CLUSTERS = Integer.MAX_VALUE;

  private final Scan scan;
  private final ImageReader reader;
  private final ImageHead head;
  private final Geometry geometry;
  private final long clusters;
  private final Tally tally;
  private final References references;

  private ImageCheck(HostFile file, CheckListener listener, Scan scan) throws IOException {
    this.scan = scan;
    reader = new ImageReader(file);
    ImageHead stored = ImageHead.decode(reader.read(0, 1 << Geometry.MAX_CLUSTER_BITS));
    head = scan.forRepair() ? withoutImpossibleRefcountTable(stored) : stored;
    head.header().checkTablesForRepair();
    geometry = head.header().geometry();
    long fileSize = (file.size() + SECTOR - 1) & -SECTOR;
    clusters = geometry.clustersFor(fileSize);
    if (clusters > MAX_CLUSTERS) {
      throw new UnsupportedFeatureException(
          "the file has %d clusters, at most %d can be checked".formatted(clusters, MAX_CLUSTERS));
    }
    tally = new Tally(listener);
    long max = scan.limit(geometry.refcountWidth().max());
    references = new References(geometry, fileSize, max, tally);
  }

  /** A refcount table that can't be where the header says is as good as none. */
  private static ImageHead withoutImpossibleRefcountTable(ImageHead head) {
    Header header = head.header();
    try {
      header.checkRefcountTable();
      return head;
    } catch (CorruptImageException _) {
      return head.withHeader(header.change().refcountTable(0, 0).build());
    }
  }

  /**
   * Checks an image.
   *
   * @param file the image; read only
   * @param listener hears of every finding
   * @return the counts
   * @throws ImageException if the image is damaged so badly that it can't be checked
   * @throws IOException if it can't be read
   */
  public static CheckReport run(HostFile file, CheckListener listener) throws IOException {
    return run(file, listener, Scan.NONE);
  }

  static CheckReport run(HostFile file, CheckListener listener, Scan scan) throws IOException {
    try {
      return new ImageCheck(file, listener, scan).check();
    } catch (ImageException e) {
      throw e.in(file.name());
    }
  }

  private CheckReport check() throws IOException {
    Header header = head.header();
    SnapshotTable snapshots = SnapshotTable.read(reader, header, scan.forRepair());
    Optional<StoredBitmaps> bitmaps = StoredBitmaps.read(reader, head, references, tally);
    RefcountStructure refcounts =
        new RefcountStructure(reader, header, references, tally, clusters);
    snapshots.check(header, tally);
    L1Check l1Check = new L1Check(reader, geometry, references, refcounts, tally);
    l1Check.add("the active L1 table", header.l1TableOffset(), header.l1Size(), true);
    snapshots.addL1Tables(geometry, l1Check, tally);
    L2Check l2Check = new L2Check(header.l2Rules(), references, refcounts, tally);
    for (long first = 0; first < clusters; first += ReferenceCounts.WINDOW) {
      references.counts().moveTo(first);
      refcounts.enterWindow();
      references.structure("the header", 0, geometry.clusterSize());
      l1Check.countTables();
      l1Check.checkL2Tables(l2Check, clusters);
      countEncryptionHeader();
      if (bitmaps.isPresent()) {
        bitmaps.get().count();
      }
      scan.countedContent(references.counts());
      references.structure("the snapshot table", header.snapshotsOffset(), snapshots.length());
      references.structure(
          "the refcount table",
          header.refcountTableOffset(),
          header.refcountTableClusters() << geometry.clusterBits());
      refcounts.countBlocks();
      scan.countedAll(references.counts());
      refcounts.compare();
      tally.endFirstPass();
    }
    return tally.report(geometry.clustersFor(header.diskSize()), geometry.clusterSize());
  }

  private void countEncryptionHeader() throws IOException {
    Optional<HeaderExtension.FullDiskEncryption> encryption =
        head.extension(HeaderExtension.FullDiskEncryption.class);
    if (encryption.isPresent()) {
      long offset = encryption.get().offset();
      long length = encryption.get().length();
      if (offset < 0 || length < 0 || length > Long.MAX_VALUE - offset) {
        throw new CorruptImageException(
            "the encryption header at offset %s has %s bytes"
                .formatted(Long.toUnsignedString(offset), Long.toUnsignedString(length)));
      }
      references.structure("the encryption header", offset, length);
    }
  }
}
