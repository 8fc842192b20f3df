package dev.cowbell.qcow2.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HeaderTest {
  private static final int MIB = 1 << 20;

  private static HeaderBuilder valid() {
    return new HeaderBuilder()
        .size(10L * MIB)
        .l1Table(3 << 16, 1)
        .refcountTable(1 << 16, 1)
        .refcountWidth(new RefcountWidth(3));
  }

  private static ByteBuffer encoded(Header header) {
    ByteBuffer cluster = ByteBuffer.allocate(1 << header.clusterBits());
    header.encode(cluster);
    return cluster;
  }

  private static void decodeAndCheck(ByteBuffer cluster) throws ImageException {
    Header header = Header.decode(cluster);
    header.checkFeatures();
    header.checkTables();
  }

  private static void rejects(Field field, long value, String message) {
    rejects(valid().build(), cluster -> field.put(cluster, value), message);
  }

  private static void rejects(Header header, Consumer<ByteBuffer> damage, String message) {
    ByteBuffer cluster = encoded(header);
    damage.accept(cluster);
    assertThatThrownBy(() -> decodeAndCheck(cluster))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining(message);
  }

  @Test
  void version_3_reads_back_as_it_was_written() throws Exception {
    Header header =
        valid()
            .backingFile(0x200, 17)
            .clusterBits(14)
            .l1Table(7 << 16, 100)
            .refcountTable(1 << 16, 2)
            .snapshots(5 << 16, 3)
            .features(
                FeatureBits.NONE
                    .with(Feature.DIRTY)
                    .with(Feature.EXTENDED_L2)
                    .with(Feature.LAZY_REFCOUNTS)
                    .with(Feature.BITMAPS))
            .compressionType(CompressionType.ZSTD)
            .build();
    assertThat(Header.decode(encoded(header))).isEqualTo(header);
    header.checkFeatures();
    header.checkTables();
  }

  @Test
  void version_2_reads_back_as_it_was_written() throws Exception {
    Header header = valid().version2().build();
    Header decoded = Header.decode(encoded(header));
    assertThat(decoded).isEqualTo(header);
    assertThat(decoded.refcountWidth().bits()).isEqualTo(16);
    assertThat(decoded.features()).isEqualTo(FeatureBits.NONE);
  }

  @Test
  void version_2_has_no_feature_bits_whatever_follows_its_header() throws Exception {
    ByteBuffer cluster = encoded(valid().version2().build());
    Header.INCOMPATIBLE_FEATURES.put(cluster, -1);
    assertThat(Header.decode(cluster).features()).isEqualTo(FeatureBits.NONE);
  }

  @Test
  void a_header_of_104_bytes_has_no_compression_type() throws Exception {
    ByteBuffer cluster = encoded(valid().build());
    Header.HEADER_LENGTH.put(cluster, 104);
    Header.COMPRESSION_TYPE.put(cluster, 77);
    Header header = Header.decode(cluster);
    assertThat(header.compressionType()).isEqualTo(CompressionType.ZLIB);
    assertThat(header.unknownFields()).isEqualTo(Bytes.EMPTY);
  }

  @Test
  void keeps_the_bytes_of_a_longer_header() throws Exception {
    ByteBuffer cluster = encoded(valid().build());
    Header.HEADER_LENGTH.put(cluster, 128);
    for (int i = 105; i < 128; i++) {
      cluster.put(i, (byte) i);
    }
    Header header = Header.decode(cluster);
    assertThat(header.unknownFields().length()).isEqualTo(23);
    assertThat(encoded(header)).isEqualTo(cluster);
  }

  @Test
  void rejects_another_magic() {
    rejects(Header.MAGIC, 0x514649fa, "starts with 0x514649fa");
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 4, 0xffff_ffffL})
  void refuses_other_versions(long version) {
    ByteBuffer cluster = encoded(valid().build());
    Header.VERSION.put(cluster, version);
    assertThatThrownBy(() -> Header.decode(cluster))
        .isInstanceOf(UnsupportedFeatureException.class)
        .hasMessageContaining("version is " + version);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 8, 22, 31, 0xffff_ffffL})
  void rejects_cluster_bits_out_of_bounds(long bits) {
    rejects(Header.CLUSTER_BITS, bits, "cluster_bits is " + bits + ", allowed are 9 to 21");
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 72, 103, 65537, 0xffff_ffffL})
  void rejects_a_header_length_out_of_bounds(long length) {
    rejects(Header.HEADER_LENGTH, length, "header_length is " + length);
  }

  @ParameterizedTest
  @ValueSource(longs = {7, 64, 0xffff_ffffL})
  void rejects_a_refcount_order_out_of_bounds(long order) {
    rejects(Header.REFCOUNT_ORDER, order, "refcount_order is " + order + ", allowed are 0 to 6");
  }

  @ParameterizedTest
  @CsvSource({"65537, 0", "-1, 0", "-9223372036854775808, 10"})
  void rejects_a_backing_file_name_behind_the_first_cluster(long offset, int length) {
    rejects(
        valid().build(),
        cluster -> {
          Header.BACKING_FILE_OFFSET.put(cluster, offset);
          Header.BACKING_FILE_SIZE.put(cluster, length);
        },
        "backing_file_offset is");
  }

  @ParameterizedTest
  @CsvSource({"512, 1024", "65536, 1", "65000, 537", "512, 4294967295"})
  void rejects_a_backing_file_name_that_is_too_long(long offset, long length) {
    rejects(
        valid().build(),
        cluster -> {
          Header.BACKING_FILE_OFFSET.put(cluster, offset);
          Header.BACKING_FILE_SIZE.put(cluster, length);
        },
        "backing_file_size is " + length);
  }

  @Test
  void rejects_a_size_of_2_to_the_63() {
    rejects(Header.SIZE, Long.MIN_VALUE, "size is 9223372036854775808");
  }

  @Test
  void rejects_an_l1_table_over_32_mib() {
    rejects(Header.L1_SIZE, (32 << 20) / 8 + 1, "l1_size is 4194305, allowed are 0 to 4194304");
  }

  @Test
  void rejects_an_l1_table_too_small_for_the_disk() {
    rejects(valid().size(513L * MIB).build(), _ -> {}, "needs at least 2");
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 512, 65535, Long.MIN_VALUE, -1})
  void rejects_an_l1_table_at_an_impossible_offset(long offset) {
    rejects(Header.L1_TABLE_OFFSET, offset, "the active L1 table at offset");
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 65537, Long.MIN_VALUE, -65536})
  void rejects_a_refcount_table_at_an_impossible_offset(long offset) {
    rejects(Header.REFCOUNT_TABLE_OFFSET, offset, "the refcount table at offset");
  }

  @ParameterizedTest
  @ValueSource(longs = {129, 0xffff_ffffL})
  void rejects_a_refcount_table_over_8_mib(long clusters) {
    rejects(Header.REFCOUNT_TABLE_CLUSTERS, clusters, "the refcount table has " + clusters);
  }

  @Test
  void rejects_an_image_without_a_refcount_table_but_lets_a_repair_have_it() throws Exception {
    rejects(Header.REFCOUNT_TABLE_CLUSTERS, 0, "refcount_table_clusters is 0");
    valid().refcountTable(0, 0).build().checkTablesForRepair();
  }

  @Test
  void rejects_more_than_65536_snapshots_but_lets_a_repair_have_them() throws Exception {
    rejects(Header.NB_SNAPSHOTS, 65537, "the snapshot table has 65537");
    valid().snapshots(1 << 16, 65537).build().checkTablesForRepair();
  }

  @Test
  void rejects_a_snapshot_table_at_an_impossible_offset() {
    rejects(valid().snapshots(4097, 1).build(), _ -> {}, "the snapshot table at offset 4097");
  }

  @Test
  void rejects_extended_l2_with_small_clusters() {
    FeatureBits extended = FeatureBits.NONE.with(Feature.EXTENDED_L2);
    rejects(
        valid().clusterBits(13).l1Table(3 << 16, 10).features(extended).build(),
        _ -> {},
        "needed are at least 16384");
  }

  @Test
  void rejects_a_compression_type_without_its_feature_bit_and_the_reverse() {
    Header zlib = valid().build();
    Header zstd = valid().compressionType(CompressionType.ZSTD).build();
    rejects(zlib, cluster -> Header.COMPRESSION_TYPE.put(cluster, 1), "compression_type is ZSTD");
    rejects(zstd, cluster -> Header.COMPRESSION_TYPE.put(cluster, 0), "compression_type is ZLIB");
  }

  @Test
  void rejects_the_raw_external_bit_without_an_external_data_file() {
    rejects(
        valid().features(FeatureBits.NONE.with(Feature.RAW_EXTERNAL_DATA)).build(),
        _ -> {},
        "no external data file");
  }

  @Test
  void refuses_an_unknown_compression_type_and_encryption() {
    for (Field field : new Field[] {Header.COMPRESSION_TYPE, Header.CRYPT_METHOD}) {
      ByteBuffer cluster = encoded(valid().build());
      field.put(cluster, 3);
      assertThatThrownBy(() -> Header.decode(cluster))
          .isInstanceOf(UnsupportedFeatureException.class)
          .hasMessageContaining(field.name() + " is 3");
    }
  }

  @Test
  void rounds_the_disk_size_down_to_sectors() {
    assertThat(valid().size(1023).build().diskSize()).isEqualTo(512);
  }
}
