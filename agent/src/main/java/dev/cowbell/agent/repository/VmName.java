package dev.cowbell.agent.repository;

/**
 * Names one VM in a repository.
 *
 * @param value 1 to 128 characters of {@code [A-Za-z0-9._-]}, the first no dot
 */
public record VmName(String value) implements Comparable<VmName> {

  /**
   * @throws IllegalArgumentException if the name breaks the rule
   */
  public VmName {
    Names.check("VM name", value);
  }

  @Override
  public int compareTo(VmName other) {
    return value.compareTo(other.value);
  }

  @Override
  public String toString() {
    return value;
  }
}
