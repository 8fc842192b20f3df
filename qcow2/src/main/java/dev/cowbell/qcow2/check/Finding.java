package dev.cowbell.qcow2.check;

/** One inconsistency of an image: how bad it is, where it is, and what was found. */
public sealed interface Finding {

  /** How bad an inconsistency is. */
  enum Severity {
    /** Guest data is wrong or lost, or the next write may do that. */
    CORRUPTION,
    /** Space is marked as used that nothing uses; harmless. */
    LEAK,
    /** Something could not be looked at, so that nothing is known about it. */
    CHECK_ERROR
  }

  Severity severity();

  /** One line: where, what was found, and what is right. */
  String description();

  /** A finding that is always a corruption. */
  sealed interface Corruption extends Finding {
    @Override
    default Severity severity() {
      return Severity.CORRUPTION;
    }
  }

  /**
   * The refcount of a cluster differs from how often the image refers to it.
   *
   * @param cluster the host cluster's number
   * @param refcount what the refcount block says
   * @param references how many references there are
   * @param block where the refcount block is; 0 if there is none, so that the refcount is 0
   */
  record WrongRefcount(long cluster, long refcount, long references, long block)
      implements Finding {
    @Override
    public Severity severity() {
      return Long.compareUnsigned(refcount, references) > 0 ? Severity.LEAK : Severity.CORRUPTION;
    }

    @Override
    public String description() {
      return "%s cluster %d refcount=%s reference=%d"
          .formatted(
              severity() == Severity.LEAK ? "Leaked" : "ERROR",
              cluster,
              Long.toUnsignedString(refcount),
              references);
    }
  }

  /** The refcounts of a run of clusters can't be read, because their block can't be found. */
  record UnreadableRefcounts(long firstCluster, long clusters, long blockOffset)
      implements Finding {
    @Override
    public Severity severity() {
      return Severity.CHECK_ERROR;
    }

    @Override
    public String description() {
      return "ERROR clusters %d to %d: there can't be a refcount block at offset %#x"
          .formatted(firstCluster, firstCluster + clusters - 1, blockOffset);
    }
  }

  /** A cluster has more references than its refcount could say. */
  record TooManyReferences(long cluster, long max) implements Corruption {
    @Override
    public String description() {
      return "ERROR cluster %d has more than %d references, the most that its refcount can hold"
          .formatted(cluster, max);
    }
  }

  /** Something lies behind the end of the image file. */
  record OutsideFile(String what, long offset, long length, long fileSize) implements Corruption {
    @Override
    public String description() {
      return "ERROR %s at offset %#x, %d bytes long, lies outside the file of %d bytes"
          .formatted(what, offset, length, fileSize);
    }
  }

  /** An offset that must be a multiple of the cluster size is not. */
  record Unaligned(String what, long offset) implements Corruption {
    @Override
    public String description() {
      return "ERROR %s: offset %#x is not cluster-aligned".formatted(what, offset);
    }
  }

  /**
   * An entry of an L1 or L2 table and its place in the file.
   *
   * @param at its first byte
   * @param word its 64 bits
   * @param bitmap the subcluster bitmap behind it; 0 where entries have none
   * @param tableReferences how many L1 tables (of an L2 entry: L1 entries) share the place; -1
   *     where that was not counted, so that the entry must stay as it is
   */
  record TableEntry(long at, long word, long bitmap, long tableReferences) {}

  /** An entry of an L1 or L2 table has bits set that must be zero; readers ignore them. */
  record ReservedBits(String what, TableEntry entry, long reserved) implements Corruption {
    @Override
    public String description() {
      return "ERROR %s: %#018x has reserved bits set".formatted(what, entry.word());
    }
  }

  /** A compressed cluster's entry claims that the cluster may be overwritten. */
  record CopiedFlagOfCompressed(String what, TableEntry entry) implements Corruption {
    @Override
    public String description() {
      return "ERROR %s: %#018x is compressed and has the copied flag".formatted(what, entry.word());
    }
  }

  /** A compressed cluster's entry has a subcluster bitmap, so that its clusters are not counted. */
  record BitmapOfCompressed(String what, TableEntry entry) implements Corruption {
    @Override
    public String description() {
      return "ERROR %s: %#018x is compressed and has a subcluster bitmap"
          .formatted(what, entry.word());
    }
  }

  /** An entry that holds no data has a host cluster at an offset that is not cluster-aligned. */
  record UnalignedPreallocation(String what, TableEntry entry) implements Corruption {
    @Override
    public String description() {
      return "ERROR %s: %#018x preallocates a cluster that is not aligned"
          .formatted(what, entry.word());
    }
  }

  /** The refcount structure itself can't be used as it is. */
  sealed interface BrokenRefcounts extends Corruption {}

  /** An entry of the refcount table leads to no refcount block. */
  record MisplacedRefcountBlock(long index, long word, String problem) implements BrokenRefcounts {
    @Override
    public String description() {
      return "ERROR refcount table entry %d: %#018x %s".formatted(index, word, problem);
    }
  }

  /** An entry's COPIED flag does not say whether the refcount is exactly one. */
  record WrongCopiedFlag(String what, TableEntry entry, boolean refcountIsOne)
      implements Corruption {
    @Override
    public String description() {
      return "ERROR OFLAG_COPIED %s: %#018x, but the refcount is %s"
          .formatted(what, entry.word(), refcountIsOne ? "one" : "not one");
    }
  }

  /** An entry contradicts itself or the header. */
  record InvalidEntry(String what, long word, String problem) implements Corruption {
    @Override
    public String description() {
      return "ERROR %s: %#018x %s".formatted(what, word, problem);
    }
  }

  /** A refcount block is used for something else as well. */
  record SharedRefcountBlock(long index, long offset, long references) implements BrokenRefcounts {
    @Override
    public String description() {
      return "ERROR refcount block %d at offset %#x has %d references instead of one"
          .formatted(index, offset, references);
    }
  }

  /** An entry of the snapshot table breaks a rule. */
  record InvalidSnapshot(int index, String problem) implements Corruption {
    @Override
    public String description() {
      return "ERROR snapshot table entry %d %s".formatted(index, problem);
    }
  }

  /** An entry of a bitmap's table breaks a rule. */
  record InvalidBitmapTable(String bitmap, String problem) implements Corruption {
    @Override
    public String description() {
      return "ERROR bitmap '%s': %s".formatted(bitmap, problem);
    }
  }
}
