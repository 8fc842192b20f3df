package dev.cowbell.qcow2.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.build.CopyListener;
import dev.cowbell.qcow2.build.DiskCopy;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.build.NewQcow2Image;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Each kind of damage on an image of sixteen data clusters. */
final class ImageCheckTest {
  private static final int CLUSTER = 65536;
  private static final long COPIED = 1L << 63;

  private final MemoryHostFile image = new MemoryHostFile("image");
  private final List<Finding> findings = new ArrayList<>();
  private long l1;
  private long l2;
  private long refcountTable;
  private long refcountBlock;

  @BeforeEach
  void makeAnImage() throws IOException {
    byte[] content = new byte[16 * CLUSTER];
    Arrays.fill(content, (byte) 1);
    RawDisk source = RawDisk.adopt(new MemoryHostFile("source", content));
    DiskCopy.of(
            source,
            new NewQcow2Image(image, source.size(), NewImageOptions.DEFAULT),
            CopyListener.NONE)
        .run();
    l1 = word(Header.L1_TABLE_OFFSET.offset());
    l2 = L1Entry.offset(word(l1));
    refcountTable = word(Header.REFCOUNT_TABLE_OFFSET.offset());
    refcountBlock = word(refcountTable);
  }

  @Test
  void a_sound_image_is_clean_and_counted() throws IOException {
    CheckReport report = check();
    assertThat(findings).isEmpty();
    assertThat(report.verdict()).isEqualTo(CheckReport.Verdict.CLEAN);
    assertThat(report.totalClusters()).isEqualTo(16);
    assertThat(report.allocatedClusters()).isEqualTo(16);
    assertThat(report.fragmentedClusters()).isZero();
    assertThat(report.imageEndOffset()).isEqualTo(image.size());
  }

  @Test
  void a_refcount_that_is_too_high_is_a_leak() throws IOException {
    setRefcount(3, 2);
    assertThat(check().verdict()).isEqualTo(CheckReport.Verdict.CORRUPT); // of the copied flag
    assertThat(findings).contains(new Finding.WrongRefcount(3, 2, 1, refcountBlock));
    assertThat(findings.getLast().severity()).isEqualTo(Finding.Severity.LEAK);
  }

  @Test
  void an_unused_cluster_with_a_refcount_is_a_leak() throws IOException {
    image.resize(image.size() + CLUSTER);
    long cluster = image.size() / CLUSTER - 1;
    setRefcount(cluster, 1);
    assertThat(check().verdict()).isEqualTo(CheckReport.Verdict.LEAKS);
    assertThat(findings).containsExactly(new Finding.WrongRefcount(cluster, 1, 0, refcountBlock));
  }

  @Test
  void a_used_cluster_without_a_refcount_is_a_corruption() throws IOException {
    setRefcount(0, 0);
    assertThat(check().verdict()).isEqualTo(CheckReport.Verdict.CORRUPT);
    assertThat(findings).containsExactly(new Finding.WrongRefcount(0, 0, 1, refcountBlock));
  }

  @Test
  void two_entries_for_one_cluster_are_a_corruption() throws IOException {
    setWord(l2, word(l2 + 8));
    assertThat(check().verdict()).isEqualTo(CheckReport.Verdict.CORRUPT);
    assertThat(findings)
        .contains(new Finding.WrongRefcount((word(l2) & ~COPIED) / CLUSTER, 1, 2, refcountBlock));
  }

  @Test
  void data_that_lies_on_metadata_is_a_corruption() throws IOException {
    setWord(l2, refcountBlock | COPIED);
    assertThat(check().verdict()).isEqualTo(CheckReport.Verdict.CORRUPT);
    assertThat(findings).hasAtLeastOneElementOfType(Finding.SharedRefcountBlock.class);
  }

  @Test
  void a_table_that_contains_itself_ends_the_check_nevertheless() throws IOException {
    setWord(l2 + 8, l2 | COPIED);
    setWord(l1, l1 | COPIED);
    assertThat(check().verdict()).isEqualTo(CheckReport.Verdict.CORRUPT);
  }

  @Test
  void offsets_behind_the_end_unaligned_ones_and_reserved_bits_are_corruptions()
      throws IOException {
    setWord(l2, 1L << 40 | COPIED);
    setWord(l2 + 8, word(l2 + 8) + 512);
    setWord(l2 + 16, word(l2 + 16) | 2);
    assertThat(check().verdict()).isEqualTo(CheckReport.Verdict.CORRUPT);
    assertThat(findings)
        .hasAtLeastOneElementOfType(Finding.OutsideFile.class)
        .hasAtLeastOneElementOfType(Finding.Unaligned.class)
        .hasAtLeastOneElementOfType(Finding.ReservedBits.class);
  }

  @Test
  void a_wrong_copied_flag_is_a_corruption() throws IOException {
    setWord(l1, word(l1) & ~COPIED);
    assertThat(check().corruptions()).isEqualTo(1);
    assertThat(findings).hasOnlyElementsOfType(Finding.WrongCopiedFlag.class);
  }

  @Test
  void refcounts_that_cannot_be_found_make_the_check_incomplete() throws IOException {
    setWord(refcountTable, refcountBlock + 512);
    assertThat(check().verdict()).isEqualTo(CheckReport.Verdict.INCOMPLETE);
  }

  @Test
  void refuses_a_file_that_no_refcounts_could_cover() {
    image.resize(1L << 60);
    assertThatThrownBy(this::check)
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("clusters, at most");
  }

  @Test
  void a_huge_sparse_file_costs_no_memory() throws IOException {
    image.resize(100L << 40);
    assertThat(check().verdict()).isEqualTo(CheckReport.Verdict.CLEAN);
  }

  @Test
  void a_listener_can_end_the_check() {
    CheckListener tired =
        new CheckListener() {
          @Override
          public void found(Finding finding) {}

          @Override
          public void between() throws IOException {
            throw new IOException("enough");
          }
        };
    assertThatThrownBy(() -> ImageCheck.run(image, tired)).hasMessage("enough");
  }

  private CheckReport check() throws IOException {
    findings.clear();
    return ImageCheck.run(image, findings::add);
  }

  private long word(long at) {
    ByteBuffer word = ByteBuffer.allocate(Long.BYTES);
    image.read(at, word);
    return word.flip().getLong();
  }

  private void setWord(long at, long value) {
    image.write(at, ByteBuffer.allocate(Long.BYTES).putLong(value).flip());
  }

  private void setRefcount(long cluster, int value) {
    image.write(refcountBlock + 2 * cluster, ByteBuffer.allocate(2).putShort((short) value).flip());
  }
}
