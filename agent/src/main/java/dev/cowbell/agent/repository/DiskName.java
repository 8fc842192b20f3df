package dev.cowbell.agent.repository;

/**
 * Names one disk of a VM.
 *
 * @param value 1 to 128 characters of {@code [A-Za-z0-9._-]}, the first no dot
 */
public record DiskName(String value) implements Comparable<DiskName> {

  /**
   * @throws IllegalArgumentException if the name breaks the rule
   */
  public DiskName {
    Names.check("disk name", value);
  }

  @Override
  public int compareTo(DiskName other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
