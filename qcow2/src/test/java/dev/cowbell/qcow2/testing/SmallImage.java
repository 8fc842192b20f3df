package dev.cowbell.qcow2.testing;

import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderBuilder;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.RefcountWidth;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * A hand-made image without data: header, refcount table, one refcount block, L1 table, and one
 * empty L2 table, cluster after cluster.
 *
 * @param clusterBits 9 to 21
 * @param refcountOrder 0 to 6
 * @param diskSize in bytes; its refcounts and L1 table fit into the file
 * @param features feature bits
 * @param backingFile the name of a raw backing file; empty for none
 * @param extensions what follows the header extensions that such an image has anyway
 */
public record SmallImage(
    int clusterBits,
    int refcountOrder,
    long diskSize,
    FeatureBits features,
    String backingFile,
    List<HeaderExtension> extensions) {

  public SmallImage(int clusterBits, int refcountOrder, long diskSize) {
    this(clusterBits, refcountOrder, diskSize, FeatureBits.NONE, "");
  }

  public SmallImage(
      int clusterBits, int refcountOrder, long diskSize, FeatureBits features, String backingFile) {
    this(clusterBits, refcountOrder, diskSize, features, backingFile, List.of());
  }

  /** The image's bytes. */
  public byte[] bytes() {
    Geometry geometry =
        new Geometry(
            clusterBits, features.has(Feature.EXTENDED_L2), new RefcountWidth(refcountOrder));
    int clusterSize = geometry.clusterSize();
    int l1Entries = Math.max(1, (int) geometry.l1EntriesFor(diskSize));
    int l1Clusters = (int) geometry.clustersFor(l1Entries * 8L);
    int clusters = 3 + l1Clusters + 1;
    ByteBuffer image = ByteBuffer.allocate(clusters * clusterSize);
    image.put(head(l1Entries, 3L * clusterSize).encode());
    image.putLong(clusterSize, 2L * clusterSize);
    ByteBuffer block = image.slice(2 * clusterSize, clusterSize);
    for (int i = 0; i < clusters; i++) {
      geometry.refcountWidth().set(block, i, 1);
    }
    long l2 = (clusters - 1L) * clusterSize;
    image.putLong(3 * clusterSize, L1Entry.of(l2, true).word());
    return image.array();
  }

  private ImageHead head(int l1Entries, long l1Offset) {
    Header header =
        new HeaderBuilder()
            .clusterBits(clusterBits)
            .size(diskSize)
            .refcountWidth(new RefcountWidth(refcountOrder))
            .l1Table(l1Offset, l1Entries)
            .refcountTable(1L << clusterBits, 1)
            .features(features)
            .build();
    List<HeaderExtension> all = new ArrayList<>();
    if (!backingFile.isEmpty()) {
      all.add(HeaderExtension.BackingFormat.of("raw"));
    }
    if (clusterBits >= 12) {
      all.add(HeaderExtension.FeatureNameTable.ofKnownFeatures());
    }
    all.addAll(extensions);
    return new ImageHead(header, all, Bytes.utf8(backingFile));
  }
}
