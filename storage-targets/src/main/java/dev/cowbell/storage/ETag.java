package dev.cowbell.storage;

/**
 * Names one version of one object in the store where it lies: a copy of the object elsewhere may
 * have another. Opaque; kept without the quotes that HTTP puts around it.
 *
 * @param value 1 to 256 visible ASCII characters, no quote
 */
public record ETag(String value) {

  public ETag {
    if (value.isEmpty() || value.length() > 256) {
      throw new IllegalArgumentException("an ETag has 1 to 256 characters, not " + value.length());
    }
    if (!value.chars().allMatch(c -> c > 0x20 && c < 0x7f && c != '"')) {
      throw new IllegalArgumentException("an ETag is visible ASCII without quotes");
    }
  }

  @Override
  public String toString() {
    return value;
  }
}
