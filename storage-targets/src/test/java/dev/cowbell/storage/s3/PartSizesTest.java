package dev.cowbell.storage.s3;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class PartSizesTest {

  private static final long MIB = 1L << 20;
  private static final long GIB = 1L << 30;
  private static final long TIB = 1L << 40;

  @Test
  void reaches_five_tebibytes_in_ten_thousand_parts_whatever_was_expected() {
    reachesTheEnd(0);
    for (long expected = 1; expected < 5 * TIB; expected = expected * 5 / 4 + 1) {
      reachesTheEnd(expected);
    }
    reachesTheEnd(5 * TIB);
  }

  private static void reachesTheEnd(long expected) {
    PartSizes sizes = PartSizes.forLength(expected);
    long uploaded = 0;
    int parts = 0;
    while (uploaded < 5 * TIB) {
      long next = sizes.next(uploaded);
      assertThat(next).isBetween(PartSizes.MIN_PART, PartSizes.MAX_PART);
      uploaded += next;
      parts++;
    }
    assertThat(parts).as("expecting %d", expected).isLessThanOrEqualTo(PartSizes.MAX_PARTS);
  }

  @Test
  void stays_small_while_the_object_is() {
    PartSizes sizes = PartSizes.forLength(0);
    assertThat(sizes.next(0)).isEqualTo(8 * MIB);
    assertThat(sizes.next(10 * GIB)).isEqualTo(8 * MIB);
    assertThat(sizes.next(36 * GIB)).isEqualTo(28 * MIB);
  }

  @Test
  void spreads_an_announced_length_evenly() {
    PartSizes sizes = PartSizes.forLength(220 * GIB);
    assertThat(sizes.next(0)).isEqualTo(29 * MIB);
    assertThat(sizes.next(219 * GIB)).isEqualTo(29 * MIB);
  }

  @Test
  void cuts_copies_into_pieces_that_s3_takes() {
    for (long expected : new long[] {0, TIB}) {
      PartSizes sizes = PartSizes.forLength(expected);
      for (long length = PartSizes.MIN_PART; length < 4 * TIB; length = length * 3 / 2 + 1) {
        for (long uploaded = 0; uploaded < TIB; uploaded += 100 * GIB) {
          int pieces = sizes.copyPieces(length, uploaded);
          assertThat(length / pieces).isBetween(PartSizes.MIN_PART, PartSizes.MAX_PART - 1);
        }
      }
    }
  }
}
