package dev.cowbell.qcow2.bitmap;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.bitmaps.directory.BitmapDirectory;
import dev.cowbell.bitmaps.directory.BitmapEntry;
import dev.cowbell.bitmaps.directory.BitmapFormatException;
import dev.cowbell.bitmaps.directory.BitmapLimits;
import dev.cowbell.bitmaps.directory.BitmapTable;
import dev.cowbell.bitmaps.directory.BitmapsExtension;
import dev.cowbell.bitmaps.directory.SerializedBitmap;
import dev.cowbell.qcow2.BitmapNotFoundException;
import dev.cowbell.qcow2.BitmapRefusedException;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.ImageLockedException;
import dev.cowbell.qcow2.check.ImageRepair;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Edits the persistent bitmaps of an image that no other program has open. Any number of edits are
 * collected in memory; {@link #commit} makes all of them durable at once or none. What is not
 * committed is forgotten.
 *
 * <p>The cost follows the bitmaps that are touched: neither guest data nor L2 tables are read, and
 * refcount blocks only where clusters are allocated or freed. Not safe for several threads.
 */
public final class BitmapEditor implements Closeable {

  private static final int MIN_DEFAULT_GRANULARITY_BITS = 12;
  private static final int MAX_DEFAULT_GRANULARITY_BITS = 16;

  private final HostFile file;
  private final HeadWriter head;
  private final Header header;
  private final ClusterAllocator allocator;
  private final BitmapReader reader;
  private final BitmapWriter writer;
  private final Map<String, EditedBitmap> bitmaps = new LinkedHashMap<>();

  /** Stored bitmaps that the next commit leaves without a reference. */
  private final List<BitmapEntry> dropped = new ArrayList<>();

  private Optional<BitmapsExtension> extension;
  private boolean changed;
  private boolean unflushed;

  /** The file, if closing is ours to do. */
  private @Nullable HostFile owned;

  private @Nullable String failure;

  private BitmapEditor(HostFile file, HeadWriter head, ClusterAllocator allocator)
      throws IOException {
    this.file = file;
    this.head = head;
    this.header = head.head().header();
    this.allocator = allocator;
    this.reader = new BitmapReader(file, header);
    this.writer = new BitmapWriter(file, header.geometry(), allocator);
    this.extension = reader.extension(head.head());
    if (extension.isPresent()) {
      for (BitmapEntry entry : reader.directory(extension.get()).entries()) {
        bitmaps.put(entry.name(), new EditedBitmap(entry));
      }
    }
  }

  /**
   * Starts editing. Bitmaps that are to be ignored (version 2, autoclear bit off) count as absent.
   * An image that was not closed (dirty bit) is repaired first.
   *
   * @param file open for writing, locked against other programs; stays the caller's to close
   * @throws ImageException if the image is damaged or marked corrupt
   */
  public static BitmapEditor open(HostFile file) throws IOException {
    ImageRepair.recoverDirty(file);
    HeadWriter head = HeadWriter.open(file);
    ClusterAllocator allocator;
    try {
      allocator = ClusterAllocator.open(file, head);
    } catch (ImageException e) {
      throw e.in(file.name());
    }
    return new BitmapEditor(file, head, allocator);
  }

  /** Edits the bitmaps of an image that its writer holds still. */
  static BitmapEditor of(HostFile file, HeadWriter head, ClusterAllocator allocator)
      throws IOException {
    return new BitmapEditor(file, head, allocator);
  }

  /**
   * Opens a file, with QEMU's locks for writing, and starts editing. Closing the editor closes it.
   *
   * @throws ImageLockedException if another program, such as a running VM, uses the image
   */
  public static BitmapEditor open(Path path) throws IOException {
    HostFile file = ChannelHostFile.open(path, ImageLock.Use.WRITE);
    try {
      BitmapEditor editor = open(file);
      editor.owned = file;
      return editor;
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /** The disk's size in bytes. */
  public long diskSize() {
    return header.diskSize();
  }

  /** The granularity that QEMU would choose, as a power of two: the cluster size, 4 to 64 KiB. */
  public int defaultGranularityBits() {
    return Math.clamp(
        header.clusterBits(), MIN_DEFAULT_GRANULARITY_BITS, MAX_DEFAULT_GRANULARITY_BITS);
  }

  /** All bitmaps as the edits so far leave them. */
  public List<BitmapInfo> list() {
    return bitmaps.values().stream().map(EditedBitmap::info).toList();
  }

  /** A copy of a bitmap's bits as the edits so far leave them. */
  public DirtyBitmap load(String name) throws IOException {
    return usable(name).content(reader).copy();
  }

  /**
   * Adds a bitmap.
   *
   * @param granularityBits the granularity as a power of two, 9 to 31
   * @param enabled whether it records writes from now on
   * @param dirty what it marks at once; must lie inside the disk
   * @throws BitmapRefusedException if there is one of that name, or a limit of the format forbids
   *     it
   */
  public void add(String name, int granularityBits, boolean enabled, ExtentSet dirty)
      throws IOException {
    checkAddable(name, granularityBits);
    DirtyBitmap content = new DirtyBitmap(diskSize(), granularityBits);
    content.set(dirty);
    bitmaps.put(name, new EditedBitmap(name, enabled, content));
    changed = true;
  }

  private void checkAddable(String name, int granularityBits) throws IOException {
    requireUsable();
    if (header.version() < 3) {
      throw refused("an image of version 2 can't hold bitmaps", null);
    }
    int nameSize = name.getBytes(StandardCharsets.UTF_8).length;
    if (name.isEmpty() || nameSize > BitmapLimits.MAX_NAME_SIZE || name.indexOf('\0') >= 0) {
      throw refused(
          "a bitmap's name has 1 to %d bytes and no NUL; this one has %d"
              .formatted(BitmapLimits.MAX_NAME_SIZE, nameSize),
          null);
    }
    if (bitmaps.containsKey(name)) {
      throw refused("there is a bitmap '" + name + "' already", null);
    }
    if (bitmaps.size() == BitmapLimits.MAX_BITMAPS) {
      throw refused(
          "the image has %d bitmaps; more are not possible".formatted(bitmaps.size()), null);
    }
    try {
      SerializedBitmap.checkStorable(diskSize(), granularityBits, header.clusterBits());
    } catch (BitmapFormatException e) {
      throw refused(e.getMessage(), e);
    }
  }

  private BitmapRefusedException refused(String message, @Nullable Throwable cause) {
    return new BitmapRefusedException(file.name() + ": " + message, cause);
  }

  /** Removes a bitmap, whatever state it is in. */
  public void remove(String name) throws IOException {
    EditedBitmap removed = existing(name);
    bitmaps.remove(name);
    removed.stored().ifPresent(dropped::add);
    changed = true;
  }

  /** Marks everything clean. */
  public void clear(String name) throws IOException {
    usable(name).replace(new DirtyBitmap(diskSize(), usable(name).granularityBits()));
    changed = true;
  }

  /** Makes a bitmap record writes. */
  public void enable(String name) throws IOException {
    setEnabled(name, true);
  }

  /** Makes a bitmap keep its bits as they are. */
  public void disable(String name) throws IOException {
    setEnabled(name, false);
  }

  private void setEnabled(String name, boolean enabled) throws IOException {
    EditedBitmap bitmap = usable(name);
    if (bitmap.enabled() != enabled) {
      bitmap.setEnabled(enabled);
      changed = true;
    }
  }

  /** Marks in one bitmap whatever another one of this image marks. */
  public void merge(String target, String source) throws IOException {
    merge(target, usable(source).content(reader));
  }

  /** Marks in a bitmap whatever another one marks, which must be for the same disk size. */
  public void merge(String target, DirtyBitmap source) throws IOException {
    EditedBitmap bitmap = usable(target);
    DirtyBitmap merged = bitmap.content(reader).copy();
    merged.merge(source);
    bitmap.replace(merged);
    changed = true;
  }

  /** Marks guest bytes dirty; they must lie inside the disk. */
  public void setDirty(String name, ExtentSet dirty) throws IOException {
    merge(name, DirtyBitmap.of(dirty, diskSize(), usable(name).granularityBits()));
  }

  /** Ends the use of a bitmap whose bits in the file are still the right ones. */
  void release(String name) throws IOException {
    existing(name).release();
    changed = true;
  }

  /**
   * Ends the use of a bitmap.
   *
   * @param content its bits, for the disk's present size
   */
  void release(String name, DirtyBitmap content) throws IOException {
    EditedBitmap bitmap = existing(name);
    bitmap.release();
    bitmap.replace(content);
    changed = true;
  }

  private EditedBitmap existing(String name) throws IOException {
    requireUsable();
    EditedBitmap bitmap = bitmaps.get(name);
    if (bitmap == null) {
      throw new BitmapNotFoundException(file.name() + ": there is no bitmap '" + name + "'");
    }
    return bitmap;
  }

  private EditedBitmap usable(String name) throws IOException {
    EditedBitmap bitmap = existing(name);
    if (bitmap.inUse()) {
      throw PersistentBitmaps.inUse(file.name(), name);
    }
    return bitmap;
  }

  private void requireUsable() {
    if (failure != null) {
      throw new IllegalStateException("the editor can't go on after a failure: " + failure);
    }
  }

  /**
   * Makes all edits durable. If it fails with the old bitmaps surely still in force, the edits can
   * be committed again; otherwise the editor refuses further use.
   */
  public void commit() throws IOException {
    requireUsable();
    if (!changed) {
      return;
    }
    unflushed = true;
    head.clearUnknownAutoclear();
    List<BitmapEntry> entries = new ArrayList<>();
    Optional<BitmapsExtension> replacement;
    try {
      for (EditedBitmap bitmap : bitmaps.values()) {
        entries.add(bitmap.store(writer));
      }
      replacement = writeDirectory(new BitmapDirectory(entries));
      freeOld(entries);
      allocator.writeBack();
      file.flush();
    } catch (IOException e) {
      rollBack(e);
      throw e;
    }
    putInForce(replacement);
    Iterator<BitmapEntry> entry = entries.iterator();
    bitmaps.values().forEach(bitmap -> bitmap.committed(entry.next()));
    dropped.clear();
    changed = false;
  }

  private Optional<BitmapsExtension> writeDirectory(BitmapDirectory directory) throws IOException {
    try {
      directory.check(diskSize(), header.clusterBits());
    } catch (BitmapFormatException e) {
      throw refused(e.getMessage(), e);
    }
    return directory.entries().isEmpty() ? Optional.empty() : Optional.of(writer.write(directory));
  }

  /** The step behind which it is not known any more what is in force if it fails. */
  private void putInForce(Optional<BitmapsExtension> replacement) throws IOException {
    try {
      if (replacement.isPresent()) {
        head.putBitmaps(Bytes.take(replacement.get().encode(), BitmapsExtension.SIZE));
      } else {
        head.dropBitmaps();
      }
    } catch (IOException e) {
      failure = e.toString();
      throw e;
    }
    extension = replacement;
    try {
      allocator.freeNow();
    } catch (IOException e) {
      // The bitmaps are committed; what could not be freed is leaked, which a check finds.
      failure = e.toString();
    }
  }

  private void freeOld(List<BitmapEntry> entries) throws IOException {
    if (extension.isPresent()) {
      allocator.freeLater(extension.get().directoryOffset(), extension.get().directorySize());
    }
    Iterator<BitmapEntry> entry = entries.iterator();
    for (EditedBitmap bitmap : bitmaps.values()) {
      long table = entry.next().tableOffset();
      Optional<BitmapEntry> stored = bitmap.stored();
      if (stored.isPresent() && stored.get().tableOffset() != table) {
        free(stored.get());
      }
    }
    for (BitmapEntry gone : dropped) {
      free(gone);
    }
  }

  private void free(BitmapEntry entry) throws IOException {
    BitmapTable table;
    try {
      table = reader.table(entry);
    } catch (CorruptImageException e) {
      // QEMU too leaks the clusters of a bitmap whose table makes no sense.
      return;
    }
    for (int i = 0; i < table.length(); i++) {
      if (table.dataOffset(i) != 0) {
        allocator.freeLater(table.dataOffset(i), header.geometry().clusterSize());
      }
    }
    allocator.freeLater(entry.tableOffset(), (long) table.length() * BitmapTable.ENTRY_SIZE);
  }

  private void rollBack(IOException cause) {
    try {
      allocator.rollBack();
    } catch (IOException e) {
      cause.addSuppressed(e);
      failure = cause.toString();
    }
  }

  /** Flushes what commits left to be flushed. Edits that were not committed are forgotten. */
  @Override
  public void close() throws IOException {
    try (HostFile _ = owned) {
      if (unflushed) {
        unflushed = false;
        file.flush();
      }
    }
  }
}
