package dev.cowbell.it.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * A damage of an image with snapshots and 16-bit refcounts.
 *
 * @param name for the report
 */
record Harm(String name, Deed deed) {
  private static final long COPIED = 1L << 63;
  private static final int REFCOUNT_TABLE = 48;
  private static final int FEATURES = 72;

  @Override
  public String toString() {
    return name;
  }

  /** Writes a damaged copy. */
  void copy(Path sound, Path damaged) throws IOException {
    Bytes bytes = new Bytes(Files.readAllBytes(sound));
    deed.harm(bytes);
    Files.write(damaged, bytes.array());
  }

  /** An image in memory, to be damaged. */
  static final class Bytes {
    private ByteBuffer image;

    Bytes(byte[] content) {
      image = ByteBuffer.wrap(content);
    }

    long word(long at) {
      return image.getLong((int) at);
    }

    void set(long at, long word) {
      image.putLong((int) at, word);
    }

    int clusterSize() {
      return 1 << image.getInt(20);
    }

    long refcountTable() {
      return word(REFCOUNT_TABLE);
    }

    long block() {
      return word(refcountTable());
    }

    long l1() {
      return word(40);
    }

    long l2() {
      return word(l1()) & 0x00ff_ffff_ffff_fe00L;
    }

    byte[] array() {
      return image.array();
    }

    void refcount(long cluster, int value) {
      image.putShort((int) (block() + 2 * cluster), (short) value);
    }

    long data() {
      return word(l2()) & 0x00ff_ffff_ffff_fe00L;
    }

    void grow(int clusters) {
      byte[] grown = Arrays.copyOf(image.array(), image.capacity() + clusters * clusterSize());
      image = ByteBuffer.wrap(grown);
    }

    long end() {
      return image.capacity();
    }
  }

  interface Deed {
    void harm(Bytes image);
  }

  static List<Harm> all() {
    return List.of(
        new Harm(
            "LEAKED_CLUSTER",
            image -> {
              image.grow(2);
              image.refcount(image.end() / image.clusterSize() - 1, 1);
            }),
        new Harm(
            "REFCOUNT_TOO_HIGH", image -> image.refcount(image.data() / image.clusterSize(), 5)),
        new Harm(
            "REFCOUNT_ZERO_ON_DATA",
            image -> image.refcount(image.data() / image.clusterSize(), 0)),
        new Harm("REFCOUNT_ZERO_ON_HEADER", image -> image.refcount(0, 0)),
        new Harm(
            "REFCOUNT_ZERO_ON_L2", image -> image.refcount(image.l2() / image.clusterSize(), 0)),
        new Harm(
            "NO_REFCOUNT_TABLE",
            image -> {
              image.set(REFCOUNT_TABLE, 0);
              image.image.putInt(REFCOUNT_TABLE + 8, 0);
            }),
        new Harm("REFCOUNT_TABLE_OF_GARBAGE", Harm::spoilRefcountTable),
        new Harm(
            "REFCOUNT_TABLE_OF_GARBAGE_AND_SNAPSHOT_WITHOUT_EXTRA_DATA",
            image -> {
              spoilRefcountTable(image);
              dropExtraData(image);
            }),
        new Harm("EMPTY_REFCOUNT_TABLE", image -> image.set(image.refcountTable(), 0)),
        new Harm("REFCOUNT_TABLE_PAST_THE_END", image -> image.set(REFCOUNT_TABLE, 1L << 40)),
        new Harm(
            "REFCOUNT_BLOCK_PAST_THE_END",
            image -> image.set(image.refcountTable(), image.end() * 4)),
        new Harm(
            "REFCOUNT_BLOCK_UNALIGNED",
            image -> image.set(image.refcountTable(), image.block() + 512)),
        new Harm(
            "REFCOUNT_TABLE_ENTRY_RESERVED",
            image -> image.set(image.refcountTable(), image.block() + 1)),
        new Harm(
            "REFCOUNT_BLOCK_ON_ITS_TABLE",
            image -> image.set(image.refcountTable(), image.refcountTable())),
        new Harm(
            "REFCOUNT_BLOCK_ON_THE_HEADER",
            image -> image.set(image.refcountTable() + 8, image.block())),
        new Harm(
            "L2_ON_REFCOUNT_BLOCK", image -> image.set(image.l1() + 8, image.block() | COPIED)),
        new Harm(
            "DATA_ON_REFCOUNT_BLOCK", image -> image.set(image.l2() + 8, image.block() | COPIED)),
        new Harm("DATA_ON_HEADER_TABLES", image -> image.set(image.l2() + 8, image.l1() | COPIED)),
        new Harm("DATA_ON_ITS_OWN_L2", image -> image.set(image.l2() + 8, image.l2() | COPIED)),
        new Harm("DATA_TWICE", image -> image.set(image.l2() + 8, image.data() | COPIED)),
        new Harm("L2_IS_L1", image -> image.set(image.l1(), image.l1() | COPIED)),
        new Harm("DATA_PAST_THE_END", image -> image.set(image.l2() + 8, (1L << 40) | COPIED)),
        new Harm(
            "DATA_JUST_PAST_THE_END_AND_A_REBUILD",
            image -> {
              image.set(image.l2() + 8, image.end() | COPIED);
              image.refcount(0, 0);
            }),
        new Harm(
            "DATA_UNALIGNED", image -> image.set(image.l2() + 8, image.word(image.l2() + 8) + 512)),
        new Harm(
            "PREALLOCATION_UNALIGNED",
            image -> image.set(image.l2() + 8, (image.word(image.l2() + 8) + 512) | 1)),
        new Harm("L2_UNALIGNED", image -> image.set(image.l1(), image.word(image.l1()) + 512)),
        new Harm("L2_PAST_THE_END", image -> image.set(image.l1() + 8, (1L << 41) | COPIED)),
        new Harm(
            "COPIED_FLAGS_MISSING",
            image -> {
              image.set(image.l1(), image.word(image.l1()) & ~COPIED);
              image.set(image.l2(), image.word(image.l2()) & ~COPIED);
            }),
        new Harm(
            "RESERVED_BITS",
            image -> {
              image.set(image.l1(), image.word(image.l1()) | 4);
              image.set(image.l2(), image.word(image.l2()) | 8);
            }),
        new Harm("DIRTY_BIT", image -> image.set(FEATURES, image.word(FEATURES) | 1)),
        new Harm("CORRUPT_BIT", image -> image.set(FEATURES, image.word(FEATURES) | 2)),
        new Harm(
            "DIRTY_WITH_LOW_REFCOUNTS",
            image -> {
              image.set(FEATURES, image.word(FEATURES) | 1);
              image.refcount(image.data() / image.clusterSize(), 0);
            }),
        new Harm("SNAPSHOT_WITHOUT_EXTRA_DATA", Harm::dropExtraData),
        new Harm(
            "SNAPSHOT_WITH_TOO_MUCH_EXTRA_DATA",
            image -> image.image.putInt((int) image.word(64) + 36, 4096)),
        new Harm(
            "SNAPSHOT_L1_UNALIGNED",
            image -> image.set(image.word(64), image.word(image.word(64)) + 512)),
        new Harm("SNAPSHOT_L1_PAST_THE_END", image -> image.set(image.word(64), 1L << 42)),
        new Harm(
            "SNAPSHOT_L1_AT_NO_POSSIBLE_PLACE",
            image -> image.set(image.word(64), image.word(image.word(64)) | 1L << 63)),
        new Harm(
            "SNAPSHOT_L1_BEHIND_ALL_FILES",
            image -> image.set(image.word(64), Long.MAX_VALUE & -4096)));
  }

  /** Entries further away than any file goes: then nothing has a refcount that can be read. */
  private static void spoilRefcountTable(Bytes image) {
    for (int at = 0; at < image.clusterSize(); at += Long.BYTES) {
      image.set(image.refcountTable() + at, 0xf603_0000_0000_0000L);
    }
  }

  /** Makes the first entry one of an old program: its extra data becomes part of nothing. */
  private static void dropExtraData(Bytes image) {
    int at = (int) image.word(64);
    int extra = image.image.getInt(at + 36);
    int names = image.image.getShort(at + 12) + image.image.getShort(at + 14);
    byte[] text = new byte[names];
    image.image.get(at + 40 + extra, text);
    image.image.putInt(at + 36, 0);
    image.image.put(at + 40, text);
    image.image.putInt(60, 1);
  }
}
