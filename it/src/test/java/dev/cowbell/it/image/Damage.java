package dev.cowbell.it.image;

import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.L1Entry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;

/** Damages the metadata of a small qcow2 image in random but meaningful ways. */
final class Damage {
  private static final int SECTOR = 512;

  private final byte[] image;
  private final ByteBuffer bytes;
  private final ImageHead head;
  private final Geometry geometry;
  private final RandomGenerator random;

  private Damage(byte[] image, RandomGenerator random) throws IOException {
    this.image = image;
    this.random = random;
    bytes = ByteBuffer.wrap(image);
    ByteBuffer first = ByteBuffer.allocate(1 << Geometry.MAX_CLUSTER_BITS);
    first.put(image, 0, Math.min(image.length, first.capacity())).clear();
    head = ImageHead.decode(first);
    geometry = head.header().geometry();
  }

  /** Writes a damaged copy and says what was done. */
  static List<String> damage(Path sound, Path damaged, int times, RandomGenerator random)
      throws IOException {
    Damage damage = new Damage(Files.readAllBytes(sound), random);
    List<String> done = new ArrayList<>();
    for (int i = 0; i < times; i++) {
      done.add(damage.once());
    }
    byte[] result = damage.image;
    if (random.nextInt(20) == 0) {
      result = Arrays.copyOf(result, geometryCut(damage, random));
      done.add("cut to " + result.length);
    }
    Files.write(damaged, result);
    return done;
  }

  private static int geometryCut(Damage damage, RandomGenerator random) {
    return random.nextInt(damage.geometry.clusterSize(), damage.image.length + 1);
  }

  private String once() {
    Header header = head.header();
    return switch (random.nextInt(10)) {
      case 0 -> word("refcount table", pick(header.refcountTableOffset(), 8, 4));
      case 1, 2 -> refcount();
      case 3 -> word("L1 entry", pick(header.l1TableOffset(), 8, header.l1Size()));
      case 4, 5, 6 -> word("L2 entry", l2Entry());
      case 7 ->
          header.nbSnapshots() == 0
              ? word("L2 entry", l2Entry())
              : word("snapshot", header.snapshotsOffset() + 8L * random.nextInt(8));
      case 8 -> sector();
      default -> bitmapDirectory();
    };
  }

  /** A sector of metadata that is lost, or that another one was written to by mistake. */
  private String sector() {
    Header header = head.header();
    long block = bytes.getLong((int) header.refcountTableOffset()) & ~0x1ffL;
    long start =
        switch (random.nextInt(5)) {
          case 0 -> header.refcountTableOffset();
          case 1 -> pick(block, SECTOR, geometry.clusterSize() / SECTOR);
          case 2 -> pick(header.l1TableOffset(), SECTOR, header.l1Size() * 8 / SECTOR);
          case 3 -> l2Entry() & -SECTOR;
          default -> header.nbSnapshots() == 0 ? block : header.snapshotsOffset();
        };
    if (start < geometry.clusterSize() || start + SECTOR > image.length) {
      return "nothing";
    }
    byte[] content = new byte[SECTOR];
    int kind = random.nextInt(4);
    switch (kind) {
      case 0 -> Arrays.fill(content, (byte) 0xff);
      case 1 -> random.nextBytes(content);
      case 2 -> bytes.get(random.nextInt(image.length / SECTOR) * SECTOR, content);
      default -> {} // zeroes
    }
    bytes.put((int) start, content);
    return "sector at %#x := kind %d".formatted(start, kind);
  }

  private long pick(long start, int size, int count) {
    return start + (long) size * random.nextInt(Math.max(1, count));
  }

  private String refcount() {
    long block = bytes.getLong((int) head.header().refcountTableOffset()) & ~0x1ffL;
    if (block <= 0 || block + geometry.clusterSize() > image.length) {
      return "no refcount block";
    }
    ByteBuffer content = bytes.slice((int) block, geometry.clusterSize());
    int clusters =
        Math.min(image.length >> geometry.clusterBits(), geometry.refcountBlockEntries());
    int index = random.nextInt(clusters + 2) % geometry.refcountBlockEntries();
    long value = random.nextLong(Math.min(3, geometry.refcountWidth().max()) + 1);
    geometry.refcountWidth().set(content, index, value);
    return "refcount of " + index + " := " + value;
  }

  private long l2Entry() {
    Header header = head.header();
    for (int attempt = 0; attempt < 50; attempt++) {
      long l1 = pick(header.l1TableOffset(), 8, header.l1Size());
      long table = inside(l1) ? L1Entry.offset(bytes.getLong((int) l1)) : 0;
      if (table > 0 && table + geometry.clusterSize() <= image.length) {
        int used = Math.min(geometry.l2Entries(), 64);
        return pick(table, geometry.extendedL2() ? 8 : geometry.l2EntrySize(), used);
      }
    }
    return header.l1TableOffset();
  }

  private String bitmapDirectory() {
    var extension = head.extension(HeaderExtension.Bitmaps.class);
    if (extension.isEmpty()) {
      return word("L2 entry", l2Entry());
    }
    long directory = extension.get().payload().buffer().getLong(16);
    long table = inside(directory) ? bytes.getLong((int) directory) : -1;
    return random.nextBoolean() && inside(table)
        ? word("bitmap table", table)
        : word("bitmap directory", pick(directory, 8, 4));
  }

  private boolean inside(long offset) {
    return offset >= 0 && offset + 8 <= image.length;
  }

  private String word(String what, long at) {
    if (!inside(at)) {
      return "nothing";
    }
    long before = bytes.getLong((int) at);
    long after =
        switch (random.nextInt(10)) {
          case 0 -> 0;
          case 1 -> before ^ (1L << 63);
          case 2 -> before ^ (1L << 62);
          case 3 -> before ^ 1;
          case 4 -> before ^ (1L << random.nextInt(64));
          case 5 -> before + geometry.clusterSize();
          case 6 -> before | 512;
          case 7 -> cluster() | (before & (1L << 63));
          case 8 -> cluster() | (1L << 63);
          default -> random.nextLong() >>> random.nextInt(64);
        };
    bytes.putLong((int) at, after);
    return "%s at %#x: %#x := %#x".formatted(what, at, before, after);
  }

  private long cluster() {
    return (long) random.nextInt((image.length >> geometry.clusterBits()) + 2)
        << geometry.clusterBits();
  }
}
