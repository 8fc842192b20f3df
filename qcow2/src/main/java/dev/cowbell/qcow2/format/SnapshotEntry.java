package dev.cowbell.qcow2.format;

import dev.cowbell.qcow2.CorruptImageException;
import java.nio.ByteBuffer;
import java.util.OptionalLong;

/**
 * An entry of the snapshot table (specification: "Snapshots").
 *
 * @param l1TableOffset where the snapshot's L1 table is
 * @param l1Size the entries of that table, unsigned 32 bits; see {@link #MAX_L1_SIZE}
 * @param dateSec when it was taken, in seconds since 1970, unsigned 32 bits
 * @param dateNsec and nanoseconds, unsigned 32 bits
 * @param vmClockNsec how long the guest had run, in nanoseconds
 * @param vmStateSizeField the 32-bit field of the VM state's size; see {@link #vmStateSize()}
 * @param extraData the extra data as stored, unknown parts included
 * @param idBytes the unique id as stored
 * @param nameBytes the name as stored
 */
public record SnapshotEntry(
    long l1TableOffset,
    long l1Size,
    long dateSec,
    long dateNsec,
    long vmClockNsec,
    long vmStateSizeField,
    Bytes extraData,
    Bytes idBytes,
    Bytes nameBytes) {

  /** The bytes of an entry before its extra data. */
  public static final int FIXED_LENGTH = 40;

  public static final int MAX_EXTRA_DATA = 1024;

  /** The most entries of an L1 table that can be used. */
  public static final int MAX_L1_SIZE = Geometry.MAX_L1_BYTES / Geometry.L1_ENTRY_SIZE;

  /** The extra data that version 3 asks for: the large VM state size and the disk size. */
  public static final int MIN_EXTRA_DATA_V3 = 16;

  /** No entry is longer, padding included. */
  public static final int MAX_LENGTH = FIXED_LENGTH + MAX_EXTRA_DATA + 2 * 0xffff + 7;

  /** The greatest length of a whole snapshot table. */
  public static final int MAX_TABLE_LENGTH = 64 << 20;

  private static final Field L1_TABLE_OFFSET = Field.u64("l1_table_offset", 0);
  private static final Field L1_SIZE = Field.u32("l1_size", 8);
  private static final Field ID_STR_SIZE = Field.u16("id_str_size", 12);
  private static final Field NAME_SIZE = Field.u16("name_size", 14);
  private static final Field DATE_SEC = Field.u32("date_sec", 16);
  private static final Field DATE_NSEC = Field.u32("date_nsec", 20);
  private static final Field VM_CLOCK_NSEC = Field.u64("vm_clock_nsec", 24);
  private static final Field VM_STATE_SIZE = Field.u32("vm_state_size", 32);
  private static final Field EXTRA_DATA_SIZE = Field.u32("extra_data_size", 36);

  /** Inside the extra data. */
  private static final Field VM_STATE_SIZE_LARGE = Field.u64("vm_state_size_large", 0);

  private static final Field DISK_SIZE = Field.u64("disk_size", 8);
  private static final Field ICOUNT = Field.u64("icount", 16);
  private static final int ALIGNMENT = 8;

  /**
   * Reads the entry at a buffer's position and moves the position behind it and its padding. The L1
   * table is checked by {@link #checkL1}: a snapshot that can't be used is no reason not to use the
   * image.
   *
   * @param table big-endian; at least {@link #MAX_LENGTH} bytes remain, or all of the table's rest
   * @throws CorruptImageException if the entry has too much extra data or is cut off
   */
  public static SnapshotEntry decode(ByteBuffer table) throws CorruptImageException {
    ByteBuffer entry = table.slice();
    int available = entry.remaining();
    if (available < FIXED_LENGTH) {
      throw cutOff(FIXED_LENGTH, available);
    }
    long extraSize = EXTRA_DATA_SIZE.get(entry);
    if (extraSize > MAX_EXTRA_DATA) {
      throw new CorruptImageException(
          "a snapshot has %d bytes of extra data, allowed are %d"
              .formatted(extraSize, MAX_EXTRA_DATA));
    }
    int idSize = (int) ID_STR_SIZE.get(entry);
    int nameSize = (int) NAME_SIZE.get(entry);
    int length = FIXED_LENGTH + (int) extraSize + idSize + nameSize;
    if (length > available) {
      throw cutOff(length, available);
    }
    entry.position(FIXED_LENGTH);
    SnapshotEntry decoded =
        new SnapshotEntry(
            L1_TABLE_OFFSET.get(entry),
            L1_SIZE.get(entry),
            DATE_SEC.get(entry),
            DATE_NSEC.get(entry),
            VM_CLOCK_NSEC.get(entry),
            VM_STATE_SIZE.get(entry),
            Bytes.take(entry, (int) extraSize),
            Bytes.take(entry, idSize),
            Bytes.take(entry, nameSize));
    table.position(table.position() + Math.min(padded(length), available));
    return decoded;
  }

  /** Puts the entry with its padding at a buffer's position. */
  public void encode(ByteBuffer table) {
    ByteBuffer entry = table.slice();
    L1_TABLE_OFFSET.put(entry, l1TableOffset);
    L1_SIZE.put(entry, l1Size);
    ID_STR_SIZE.put(entry, idBytes.length());
    NAME_SIZE.put(entry, nameBytes.length());
    DATE_SEC.put(entry, dateSec);
    DATE_NSEC.put(entry, dateNsec);
    VM_CLOCK_NSEC.put(entry, vmClockNsec);
    VM_STATE_SIZE.put(entry, vmStateSizeField);
    EXTRA_DATA_SIZE.put(entry, extraData.length());
    entry.position(FIXED_LENGTH);
    entry.put(extraData.buffer()).put(idBytes.buffer()).put(nameBytes.buffer());
    entry.put(new byte[encodedLength() - entry.position()]);
    table.position(table.position() + encodedLength());
  }

  /** The bytes that {@link #encode} writes, padding included. */
  public int encodedLength() {
    return padded(FIXED_LENGTH + extraData.length() + idBytes.length() + nameBytes.length());
  }

  public String id() {
    return idBytes.text();
  }

  public String name() {
    return nameBytes.text();
  }

  /** The bytes of VM state behind the disk, unsigned. */
  public long vmStateSize() {
    return extra(VM_STATE_SIZE_LARGE).orElse(vmStateSizeField);
  }

  /** The disk's size when the snapshot was taken, unsigned; old images don't say. */
  public OptionalLong diskSize() {
    return extra(DISK_SIZE);
  }

  /** The count of executed instructions, or -1 or nothing when none was recorded. */
  public OptionalLong icount() {
    return extra(ICOUNT);
  }

  /**
   * Checks where the snapshot's L1 table lies and that it is long enough.
   *
   * @param diskSize the size of the disk that the snapshot shows, in bytes
   */
  public void checkL1(Geometry geometry, long diskSize) throws CorruptImageException {
    String table = "the L1 table of snapshot " + id();
    geometry.checkL1Table(table, l1TableOffset, l1Size);
    long needed = geometry.l1EntriesFor(diskSize);
    if (diskSize < 0 || l1Size < needed) {
      throw new CorruptImageException(
          "%s has %d entries, a disk of %s bytes needs at least %d"
              .formatted(table, l1Size, Long.toUnsignedString(diskSize), needed));
    }
  }

  private OptionalLong extra(Field field) {
    return extraData.length() >= field.end()
        ? OptionalLong.of(field.get(extraData.buffer()))
        : OptionalLong.empty();
  }

  private static CorruptImageException cutOff(int needed, int available) {
    return new CorruptImageException(
        "the snapshot table ends inside an entry: %d bytes needed, %d left"
            .formatted(needed, available));
  }

  private static int padded(int length) {
    return (length + ALIGNMENT - 1) & -ALIGNMENT;
  }
}
