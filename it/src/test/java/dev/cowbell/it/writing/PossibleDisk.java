package dev.cowbell.it.writing;

import dev.cowbell.it.writing.ChildWrites.Change;
import dev.cowbell.it.writing.ChildWrites.Kind;
import java.util.BitSet;

/** Which values each sector of a disk may hold after changes that may have arrived or not. */
final class PossibleDisk {
  private final BitSet[] sectors;

  /** A disk whose content is known; each sector holds one value. */
  PossibleDisk(byte[] content) {
    sectors = new BitSet[content.length / ChildWrites.SECTOR];
    for (int i = 0; i < sectors.length; i++) {
      sectors[i] = new BitSet(256);
      sectors[i].set(content[i * ChildWrites.SECTOR] & 0xff);
    }
  }

  /**
   * Takes a change over.
   *
   * @param certain whether nothing of what was before can be left
   */
  void change(Change change, boolean certain) {
    for (int i = change.from(); i < change.from() + change.count(); i++) {
      if (certain && change.kind() != Kind.DISCARD) {
        sectors[i].clear();
      }
      sectors[i].set(change.value() & 0xff);
    }
  }

  /** Fails unless every sector holds one value, and one that is possible. */
  void assertIs(byte[] content, String what) {
    for (int i = 0; i < sectors.length; i++) {
      for (int at = i * ChildWrites.SECTOR; at < (i + 1) * ChildWrites.SECTOR; at++) {
        if (content[at] != content[i * ChildWrites.SECTOR] || !sectors[i].get(content[at] & 0xff)) {
          throw new AssertionError(
              "%s: offset %d holds %d, possible are %s"
                  .formatted(what, at, content[at] & 0xff, sectors[i]));
        }
      }
    }
  }
}
