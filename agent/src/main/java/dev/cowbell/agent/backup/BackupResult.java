package dev.cowbell.agent.backup;

import dev.cowbell.agent.repository.Manifest;
import java.util.List;

/**
 * A point that was made.
 *
 * @param manifest of the point, as committed
 * @param notes what is good to know
 * @param warnings what deserves a look, although the point is good
 */
public record BackupResult(Manifest manifest, List<String> notes, List<String> warnings) {

  public BackupResult {
    notes = List.copyOf(notes);
    warnings = List.copyOf(warnings);
  }
}
