package dev.cowbell.qcow2.check;

import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.L2Entry;

/** One step that puts something right. None of them changes what the guest reads. */
public sealed interface Repair {

  /** One line: what is changed, and to what. */
  String description();

  /**
   * Replaces an entry of an L1 or L2 table.
   *
   * @param entry what stands there
   * @param word what shall stand there
   * @param bitmap the subcluster bitmap behind it; of no meaning where there are none
   */
  record SetEntry(String what, Finding.TableEntry entry, long word, long bitmap) implements Repair {
    @Override
    public String description() {
      return "Repairing %s: %#018x becomes %#018x".formatted(what, entry.word(), word);
    }

    /** Whether nothing but a COPIED flag changes. */
    boolean isFlag() {
      return (word ^ entry.word()) == Long.MIN_VALUE
          && bitmap == entry.bitmap()
          && !L2Entry.isCompressed(word);
    }
  }

  /** Raises a refcount that is too low, in its block. */
  record RaiseRefcount(Finding.WrongRefcount wrong) implements Repair {
    @Override
    public String description() {
      return refcount(wrong);
    }
  }

  /** Lowers a refcount that is too high, in its block. */
  record LowerRefcount(Finding.WrongRefcount wrong) implements Repair {
    @Override
    public String description() {
      return refcount(wrong);
    }
  }

  /**
   * Writes refcount table and blocks anew behind everything in use, and lets the header refer to
   * them.
   *
   * @param withSnapshots whether the snapshot table is written anew as well
   */
  record Rebuild(boolean withSnapshots) implements Repair {
    @Override
    public String description() {
      return withSnapshots
          ? "Rebuilding refcount structure and snapshot table"
          : "Rebuilding refcount structure";
    }
  }

  /**
   * Clears the dirty and the corrupt bit.
   *
   * @param features what remains
   */
  record ClearMarks(FeatureBits features) implements Repair {
    @Override
    public String description() {
      return "Clearing the marks of a dirty or corrupt image";
    }
  }

  private static String refcount(Finding.WrongRefcount wrong) {
    return "Repairing cluster %d refcount=%s reference=%d"
        .formatted(wrong.cluster(), Long.toUnsignedString(wrong.refcount()), wrong.references());
  }
}
