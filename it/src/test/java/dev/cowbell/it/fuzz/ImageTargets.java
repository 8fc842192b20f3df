package dev.cowbell.it.fuzz;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.qcow2.BackingFormat;
import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.FileReference;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.WritableDisk;
import dev.cowbell.qcow2.bitmap.BitmapEditor;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import dev.cowbell.qcow2.check.CheckReport;
import dev.cowbell.qcow2.check.ImageCheck;
import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.crypto.Passphrases;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.SnapshotEntry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A qcow2 image in all its parts. */
final class ImageTargets {
  private static final int READ = 64 << 10;
  private static final int WRITTEN = 700;
  private static final long MAPPED = 4 << 20;
  private static final int MAX_SNAPSHOTS = 4;
  private static final int MAX_BITMAPS = 4;

  /** Where the header says how the image is encrypted. */
  private static final int CRYPT_METHOD = 32;

  private static final int LEGACY_AES = 1;

  private ImageTargets() {}

  static MemoryHostFile file(byte[] content) {
    return new MemoryHostFile("fuzzed", content);
  }

  /** Header, extensions, names; what was read is written as it was, but for the name's place. */
  static void head(byte[] input) throws IOException {
    ImageHead head = Qcow2Image.readHead(file(input));
    head.header().checkTables();
    ByteBuffer encoded;
    try {
      encoded = head.encode();
    } catch (IllegalArgumentException e) {
      int cluster = 1 << head.header().clusterBits();
      if (size(head) <= cluster) {
        throw e;
      }
      return;
    }
    ImageHead again = ImageHead.decode(padded(encoded, head.header()));
    if (!again.header().equals(placed(head.header(), again.header()))
        || !again.withHeader(head.header()).equals(head)) {
      throw new AssertionError("%s was written and became %s".formatted(head, again));
    }
  }

  /** With the mark that ends the extensions, which may be left out where the cluster ends. */
  private static int size(ImageHead head) {
    int bytes = head.header().headerLength() + 8 + head.backingFileName().length();
    for (HeaderExtension extension : head.extensions()) {
      bytes += 8 + (extension.payload().length() + 7) / 8 * 8;
    }
    return bytes;
  }

  /** A header with the backing file's name where another one says. */
  private static Header placed(Header header, Header where) {
    return header.change().backingFile(where.backingFileOffset(), header.backingFileSize()).build();
  }

  private static ByteBuffer padded(ByteBuffer encoded, Header header) {
    ByteBuffer cluster = ByteBuffer.allocate(1 << header.clusterBits());
    cluster.put(encoded);
    return cluster.clear();
  }

  /** Tables, snapshots, data. */
  static void image(byte[] input) throws IOException {
    try (Passphrase passphrase = Passphrase.adopt("x".getBytes(StandardCharsets.UTF_8));
        Qcow2Image image = Qcow2Image.adopt(file(input), options(input, passphrase))) {
      readAll(image);
      attempt(image::allocated);
      List<SnapshotEntry> snapshots = image.snapshots().entries();
      for (SnapshotEntry snapshot : snapshots.subList(0, limit(snapshots, MAX_SNAPSHOTS))) {
        attempt(() -> {
          readAll(image.openSnapshot(snapshot));
          return image.changesSince(snapshot);
        });
        attempt(() -> image.changes(snapshots.getFirst(), snapshot));
      }
    }
  }

  private static OpenOptions options(byte[] input, Passphrase passphrase) {
    OpenOptions options =
        OpenOptions.strict()
            .withReferences(ImageTargets::below)
            .withBackingFormat(new BackingFormat.Assumed("raw"));
    boolean legacy =
        input.length >= CRYPT_METHOD + Integer.BYTES
            && ByteBuffer.wrap(input).getInt(CRYPT_METHOD) == LEGACY_AES;
    return legacy ? options.withPassphrases(Passphrases.of(passphrase)) : options;
  }

  /** What any reference leads to. */
  static HostFile below(FileReference reference) {
    byte[] content = new byte[READ];
    java.util.Arrays.fill(content, (byte) 7);
    return new MemoryHostFile(reference.filename(), content);
  }

  private static void readAll(MappedDisk disk) throws IOException {
    long size = disk.size();
    for (long at : new long[] {0, size / 2, Math.max(0, size - READ)}) {
      ByteBuffer read = ByteBuffer.allocate((int) Math.min(READ, size - at));
      attempt(() -> {
        disk.read(at, read);
        return disk;
      });
      long length = Math.min(MAPPED, size - at);
      attempt(() -> disk.extents(at, length));
      attempt(() -> {
        disk.map(at, length, entry -> {});
        return disk;
      });
    }
  }

  /** Something that may find damage. */
  @FunctionalInterface
  private interface Attempt {
    Object make() throws IOException;
  }

  private static void attempt(Attempt attempt) throws IOException {
    try {
      attempt.make();
    } catch (ImageException e) {
      if (!Refusals.isRefusal(e)) {
        throw e;
      }
    }
  }

  /** Writes to whatever the image is, and reads it back. */
  static void write(byte[] input) throws IOException {
    HostFile file = file(input);
    try (Passphrase passphrase = Passphrase.adopt("x".getBytes(StandardCharsets.UTF_8));
        Qcow2Image image =
            Qcow2Image.adopt(
                file, options(input, passphrase).withAccess(OpenOptions.Access.READ_WRITE))) {
      long at = image.size() / 3;
      int length = (int) Math.min(WRITTEN, image.size() - at);
      ByteBuffer written = ByteBuffer.allocate(length);
      java.util.Arrays.fill(written.array(), (byte) 9);
      image.write(at, written.duplicate());
      image.flush();
      ByteBuffer read = ByteBuffer.allocate(length);
      image.read(at, read);
      if (!read.flip().equals(written)) {
        throw new AssertionError("what was written at %d is not what is read".formatted(at));
      }
      image.writeZeroes(at, length, WritableDisk.ZeroSpace.MAY_FREE);
      image.discard(0, Math.min(READ, image.size()));
      image.flush();
    }
  }

  /** Refcounts, and everything that they count. */
  static void check(byte[] input) throws IOException {
    CheckReport report =
        ImageCheck.run(
            file(input),
            finding -> {
              if (finding.description().isBlank()) {
                throw new AssertionError("a finding without a description: " + finding);
              }
            });
    if (report.corruptions() < 0 || report.leaks() < 0) {
      throw new AssertionError(report);
    }
  }

  /** The bitmap directory and what it leads to. */
  static void bitmaps(byte[] input) throws IOException {
    HostFile file = file(input);
    ImageHead head = Qcow2Image.readHead(file);
    head.header().checkTables();
    PersistentBitmaps bitmaps = PersistentBitmaps.read(file, head);
    for (BitmapInfo info : bitmaps.list().subList(0, limit(bitmaps.list(), MAX_BITMAPS))) {
      attempt(() -> bitmaps.isDirty(info.name(), head.header().diskSize() / 2));
      attempt(() -> bitmaps.load(info.name()).toExtents());
    }
  }

  /** Edits bitmaps of an image that is as it is, and looks whether the edit did what it said. */
  static void bitmapEditor(byte[] input) throws IOException {
    HostFile file = file(input);
    ExtentSet marked;
    try (BitmapEditor editor = BitmapEditor.open(file)) {
      for (BitmapInfo info : editor.list().subList(0, limit(editor.list(), MAX_BITMAPS))) {
        attempt(() -> {
          editor.clear(info.name());
          return info;
        });
      }
      marked = editor.diskSize() == 0 ? ExtentSet.empty() : ExtentSet.of(0, 1);
      editor.add("added", editor.defaultGranularityBits(), true, marked);
      editor.commit();
    }
    try (BitmapEditor editor = BitmapEditor.open(file)) {
      if (!marked.isEmpty() && editor.load("added").toExtents().isEmpty()) {
        throw new AssertionError("an added bitmap lost its mark");
      }
      editor.remove("added");
      editor.commit();
    } catch (CorruptImageException e) {
      throw new AssertionError("an edited image can't be edited again", e);
    }
  }

  private static int limit(List<?> list, int most) {
    return Math.min(list.size(), most);
  }

  /** A compressed cluster: the first byte chooses the codec and the cluster's size. */
  static void compressed(byte[] input) throws IOException {
    if (input.length > 1 && input.length < PackedImage.MAX_PAYLOAD) {
      readAll(Qcow2Image.adopt(file(PackedImage.around(input)), OpenOptions.strict()));
    }
  }
}
