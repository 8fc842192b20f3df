package dev.cowbell.it.writing;

import java.util.Random;

/**
 * Changes that follow from a seed, so that two processes know the same ones: each fills whole
 * sectors with one value, which is 0 for zeroes and discards.
 */
final class ChildWrites {
  static final int SECTOR = 512;

  private final Random random;
  private final int sectors;

  /** What a change does. */
  enum Kind {
    WRITE,
    ZERO,
    DISCARD
  }

  /** One change, in sectors. */
  record Change(Kind kind, int from, int count, byte value) {}

  ChildWrites(long seed, long diskSize) {
    this.random = new Random(seed);
    this.sectors = (int) (diskSize / SECTOR);
  }

  Change next() {
    int choice = random.nextInt(10);
    Kind kind = choice == 0 ? Kind.ZERO : choice == 1 ? Kind.DISCARD : Kind.WRITE;
    int from = random.nextInt(sectors);
    int count = Math.min(sectors - from, 1 + random.nextInt(1 << random.nextInt(10)));
    byte value = (byte) (1 + random.nextInt(255));
    return new Change(kind, from, count, kind == Kind.WRITE ? value : 0);
  }
}
