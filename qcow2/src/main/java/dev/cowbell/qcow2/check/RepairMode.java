package dev.cowbell.qcow2.check;

/** What a repair may change; {@code qemu-img check -r}. */
public enum RepairMode {
  /** Refcounts that are too high, which only waste space. */
  LEAKS,
  /** Everything that can be put right. */
  ALL
}
