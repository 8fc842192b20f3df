package dev.cowbell.agent.backup;

import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.SourceRecord.SnapshotIdentity;
import java.util.List;
import java.util.Optional;

/** What of a disk has to be copied, and why. */
public sealed interface Verdict {

  /** Why, in a sentence for people. */
  String reason();

  /** All of it. */
  record Full(String reason) implements Verdict {}

  /**
   * What changed since a point. The change set is the union of everything that is named here.
   *
   * @param parent the point
   * @param bitmaps bitmaps whose dirty bytes belong to it
   * @param layersAbove the number of layers, from the image down, whose allocated bytes belong to
   *     it
   * @param tables two states of the image whose tables differ where it may have changed
   * @param tailFrom everything from here to the end of the disk belongs to it
   * @param warnings what the user should know
   */
  record Increment(
      PointId parent,
      List<BitmapUse> bitmaps,
      int layersAbove,
      Optional<TableDifference> tables,
      long tailFrom,
      String reason,
      List<String> warnings)
      implements Verdict {

    public Increment {
      bitmaps = List.copyOf(bitmaps);
      warnings = List.copyOf(warnings);
    }
  }

  /**
   * What differs from a point, found by reading everything and comparing it with digests of what
   * there was.
   *
   * @param parent the point
   * @param warnings what the user should know
   */
  record Rescan(PointId parent, String reason, List<String> warnings) implements Verdict {

    public Rescan {
      warnings = List.copyOf(warnings);
    }
  }

  /**
   * A bitmap whose dirty bytes count.
   *
   * @param layer which file of the chain has it; 0 is the image
   */
  record BitmapUse(int layer, String bitmap) {}

  /**
   * Two states of the image.
   *
   * @param from a snapshot; empty for the active state
   * @param to a snapshot; empty for the active state
   */
  record TableDifference(Optional<SnapshotIdentity> from, Optional<SnapshotIdentity> to) {}
}
