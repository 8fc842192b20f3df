package dev.cowbell.bitmaps.directory;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The bitmap directory: every persistent bitmap of an image, in the order they were added (spec:
 * "Bitmap directory").
 */
public record BitmapDirectory(List<BitmapEntry> entries) {

  /** A directory without a bitmap. An image never stores one: it drops the extension instead. */
  public static final BitmapDirectory EMPTY = new BitmapDirectory(List.of());

  public BitmapDirectory {
    entries = List.copyOf(entries);
  }

  /**
   * Takes a directory apart; what the entries say is not judged yet, see {@link #check}.
   *
   * @param bytes all of it, from position to limit
   * @param bitmapCount what the extension says
   */
  public static BitmapDirectory decode(ByteBuffer bytes, int bitmapCount)
      throws BitmapFormatException {
    ByteBuffer in = bytes.slice();
    List<BitmapEntry> entries = new ArrayList<>(Math.min(bitmapCount, 64));
    while (in.hasRemaining()) {
      if (entries.size() == bitmapCount) {
        throw new BitmapFormatException(
            "the bitmap directory goes on behind its %d bitmaps; %d bytes are left"
                .formatted(bitmapCount, in.remaining()));
      }
      entries.add(decodeEntry(in));
    }
    if (entries.size() != bitmapCount) {
      throw new BitmapFormatException(
          "the bitmap directory holds %d bitmaps; the header says %d"
              .formatted(entries.size(), bitmapCount));
    }
    return new BitmapDirectory(entries);
  }

  private static BitmapEntry decodeEntry(ByteBuffer in) throws BitmapFormatException {
    int start = in.position();
    if (in.remaining() < BitmapEntry.HEAD_SIZE) {
      throw new BitmapFormatException(
          "the bitmap directory ends inside the entry at byte %d".formatted(start));
    }
    long tableOffset = in.getLong();
    long tableLength = in.getInt() & 0xFFFF_FFFFL;
    int flags = in.getInt();
    int type = in.get() & 0xFF;
    int granularityBits = in.get() & 0xFF;
    int nameSize = in.getShort() & 0xFFFF;
    long extraDataSize = in.getInt() & 0xFFFF_FFFFL;
    long size = BitmapEntry.HEAD_SIZE + extraDataSize + nameSize + 7 & -8L;
    if (size > in.limit() - start) {
      throw new BitmapFormatException(
          "the bitmap directory's entry at byte %d claims %d bytes; %d are left"
              .formatted(start, size, in.limit() - start));
    }
    ByteBuffer name = in.slice(start + BitmapEntry.HEAD_SIZE + (int) extraDataSize, nameSize);
    in.position(start + (int) size);
    return new BitmapEntry(
        tableOffset,
        tableLength,
        flags,
        type,
        granularityBits,
        BitmapName.decode(name),
        extraDataSize);
  }

  /**
   * Checks the directory against every rule for which QEMU would refuse the image.
   *
   * @param diskSize in bytes, as the guest sees it
   * @param clusterBits the image's cluster size as a power of two
   * @throws BitmapFormatException naming the first bitmap that breaks a rule, and how
   */
  public void check(long diskSize, int clusterBits) throws BitmapFormatException {
    if (entries.size() > BitmapLimits.MAX_BITMAPS) {
      throw new BitmapFormatException(
          "the image has %d bitmaps; at most %d are allowed"
              .formatted(entries.size(), BitmapLimits.MAX_BITMAPS));
    }
    Set<String> names = HashSet.newHashSet(entries.size());
    for (BitmapEntry entry : entries) {
      entry.check(diskSize, clusterBits);
      if (!names.add(entry.name())) {
        throw new BitmapFormatException("two bitmaps are named '" + entry.name() + "'");
      }
    }
    if (encodedSize() > BitmapLimits.MAX_DIRECTORY_SIZE) {
      throw new BitmapFormatException(
          "the bitmap directory takes %d bytes; at most %d are allowed"
              .formatted(encodedSize(), BitmapLimits.MAX_DIRECTORY_SIZE));
    }
  }

  /** The bitmap of that name. */
  public Optional<BitmapEntry> find(String name) {
    return entries.stream().filter(entry -> entry.name().equals(name)).findFirst();
  }

  /** The bytes of the directory on disk. */
  public long encodedSize() {
    return entries.stream().mapToLong(BitmapEntry::encodedSize).sum();
  }

  /** The directory as it stands on disk. */
  public ByteBuffer encode() {
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(encodedSize()));
    for (BitmapEntry entry : entries) {
      entry.encode(bytes);
    }
    return bytes.flip();
  }
}
