package dev.cowbell.qcow2.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.HeaderExtension.BackingFormat;
import dev.cowbell.qcow2.format.HeaderExtension.ExternalDataFile;
import dev.cowbell.qcow2.format.HeaderExtension.FeatureNameTable;
import dev.cowbell.qcow2.format.HeaderExtension.FullDiskEncryption;
import dev.cowbell.qcow2.format.HeaderExtension.Unknown;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

class ImageHeadTest {
  private static final Header HEADER = new HeaderBuilder().clusterBits(12).size(1 << 20).build();

  private static ImageHead head(HeaderExtension... extensions) {
    return new ImageHead(HEADER, List.of(extensions), Bytes.EMPTY);
  }

  private static ByteBuffer cluster(ImageHead head) {
    return ByteBuffer.allocate(1 << head.header().clusterBits()).put(head.encode()).rewind();
  }

  private static ByteBuffer clusterWith(int type, byte[] payload) {
    return cluster(head(new Unknown(type, Bytes.copyOf(payload))));
  }

  @Test
  void extensions_and_backing_name_read_back_as_they_were_written() throws Exception {
    ImageHead head =
        new ImageHead(
            HEADER,
            List.of(
                BackingFormat.of("qcow2"),
                FeatureNameTable.ofKnownFeatures(),
                new Unknown(0x436f7762, Bytes.utf8("thirteen byte")),
                FullDiskEncryption.of(1 << 16, 2068480),
                ExternalDataFile.of("disk.raw"),
                new Unknown(7, Bytes.EMPTY)),
            Bytes.utf8("../base ü.qcow2"));
    ImageHead decoded = ImageHead.decode(cluster(head));
    assertThat(decoded.extensions()).isEqualTo(head.extensions());
    assertThat(decoded.backingFile()).contains("../base ü.qcow2");
    assertThat(decoded.backingFormat()).contains("qcow2");
    assertThat(decoded.dataFile()).contains("disk.raw");
    assertThat(cluster(decoded)).isEqualTo(cluster(head));
  }

  @Test
  void unknown_autoclear_and_compatible_bits_are_kept() throws Exception {
    Header header = HEADER.change().features(new FeatureBits(0, 1L << 63, 1L << 40)).build();
    ImageHead decoded = ImageHead.decode(cluster(head().withHeader(header)));
    assertThat(decoded.header().features()).isEqualTo(header.features());
  }

  @Test
  void names_an_unknown_incompatible_feature_from_the_table() {
    byte[] entry = new byte[48];
    entry[1] = 9;
    ByteBuffer.wrap(entry).position(2).put(Bytes.utf8("quantum\nclusters").buffer());
    Header header = HEADER.change().features(new FeatureBits(1 << 9 | 1 << 12, 0, 0)).build();
    ByteBuffer cluster =
        cluster(head(new FeatureNameTable(Bytes.copyOf(entry))).withHeader(header));
    assertThatThrownBy(() -> ImageHead.decode(cluster))
        .isInstanceOf(UnsupportedFeatureException.class)
        .hasMessageContaining("quantum?clusters, incompatible feature bit 12");
  }

  @Test
  void an_extension_may_end_where_the_backing_name_starts() throws Exception {
    ByteBuffer cluster = cluster(head(new Unknown(9, Bytes.copyOf(new byte[16]))));
    Header.BACKING_FILE_OFFSET.put(cluster, 112 + 8 + 16);
    assertThat(ImageHead.decode(cluster).extensions()).hasSize(1);
  }

  @Test
  void rejects_an_extension_longer_than_the_room_it_has() {
    for (int length : new int[] {4096 - 112 - 8 + 1, Integer.MAX_VALUE, -1}) {
      ByteBuffer cluster = cluster(head());
      cluster.putInt(112, 9).putInt(116, length);
      assertThatThrownBy(() -> ImageHead.decode(cluster))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("header extension at offset 112");
    }
  }

  @Test
  void rejects_an_extension_header_cut_off_by_the_backing_name() {
    ByteBuffer cluster = cluster(head());
    Header.BACKING_FILE_OFFSET.put(cluster, 116);
    assertThatThrownBy(() -> ImageHead.decode(cluster))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("up to offset 116 there is no room");
  }

  @Test
  void rejects_known_extensions_of_a_wrong_length() {
    int[] types = {
      HeaderExtension.BACKING_FORMAT_TYPE,
      HeaderExtension.BITMAPS_TYPE,
      HeaderExtension.FULL_DISK_ENCRYPTION_TYPE
    };
    for (int type : types) {
      ByteBuffer cluster = clusterWith(type, new byte[25]);
      assertThatThrownBy(() -> ImageHead.decode(cluster))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("has 25 bytes, allowed are");
    }
  }

  @Test
  void the_name_of_a_cluster_full_of_extensions_does_not_fit() {
    ImageHead head =
        head(new Unknown(9, Bytes.copyOf(new byte[3900])))
            .withBackingFile(Bytes.utf8("x".repeat(90)));
    assertThatThrownBy(head::encode).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void replaces_and_removes_extensions_in_their_place() {
    ImageHead head = head(BackingFormat.of("raw"), new Unknown(9, Bytes.EMPTY));
    ImageHead changed = head.withExtension(BackingFormat.of("qcow2")).withoutExtension(9);
    assertThat(changed.extensions()).containsExactly(BackingFormat.of("qcow2"));
    assertThat(head.withExtension(ExternalDataFile.of("d")).extensions()).hasSize(3);
  }
}
