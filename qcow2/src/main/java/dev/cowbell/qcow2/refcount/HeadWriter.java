package dev.cowbell.qcow2.refcount;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.RefcountWidth;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Changes the head of an image in place, so that a crash at any time leaves it as before or as
 * after. Each single write stays inside one 512-byte sector where the layout allows; the class says
 * where it does not.
 */
public final class HeadWriter {

  private static final int SECTOR = 512;
  private static final int EXTENSION_HEADER = 8;

  private final HostFile file;
  private volatile ImageHead head;

  private HeadWriter(HostFile file, ImageHead head) {
    this.file = file;
    this.head = head;
  }

  /** Reads and checks an image's head. */
  public static HeadWriter open(HostFile file) throws IOException {
    return new HeadWriter(file, Qcow2Image.readHead(file));
  }

  /** The head as the last write left it. */
  public ImageHead head() {
    return head;
  }

  /** Reads the head again, after it became doubtful what the last write has left. */
  public void reread() throws IOException {
    head = Qcow2Image.readHead(file);
  }

  /** Moves the refcount table: one write inside the first sector. */
  public void setRefcountTable(long offset, long clusters) throws IOException {
    setHeader(head.header().change().refcountTable(offset, clusters).build());
  }

  /** Sets the corrupt bit, which version 2 does not have. Durable when this returns. */
  public void markCorrupt() throws IOException {
    if (head.header().version() >= 3) {
      setFeaturesDurably(head.header().features().with(Feature.CORRUPT));
    }
  }

  /**
   * Says that refcounts in the file may be wrong from now on, or that they are right again. Durable
   * when this returns.
   */
  public void markDirty(boolean dirty) throws IOException {
    FeatureBits features = head.header().features();
    setFeaturesDurably(dirty ? features.with(Feature.DIRTY) : features.without(Feature.DIRTY));
  }

  /**
   * Puts a refcount table of another width in force: one write inside the first sector, durable
   * when this returns.
   */
  void putRefcounts(long offset, long clusters, RefcountWidth width) throws IOException {
    setHeader(head.header().change().refcountTable(offset, clusters).refcountWidth(width).build());
    file.flush();
  }

  /** Switches lazy refcounts on or off. Durable when this returns. */
  public void setLazyRefcounts(boolean on) throws IOException {
    FeatureBits features = head.header().features();
    setFeaturesDurably(
        on ? features.with(Feature.LAZY_REFCOUNTS) : features.without(Feature.LAZY_REFCOUNTS));
  }

  /**
   * Replaces the whole head, extensions and backing file name included: with one write of the first
   * sector where header and extensions fit into it. The backing file's name goes behind what the
   * present head uses, if it doesn't fit there, too. Durable when this returns.
   *
   * @throws CorruptImageException if it does not fit into the first cluster
   */
  public void replace(ImageHead wanted) throws IOException {
    ByteBuffer encoded;
    try {
      encoded = wanted.encode();
    } catch (IllegalArgumentException e) {
      throw new CorruptImageException(String.valueOf(e.getMessage()), e);
    }
    int nameLength = wanted.backingFileName().length();
    int place = roomForName(nameLength);
    boolean apart =
        nameLength > 0
            && encoded.limit() > SECTOR
            && encoded.limit() - nameLength <= SECTOR
            && place + nameLength <= 1 << head.header().clusterBits();
    if (apart) {
      file.write(place, wanted.backingFileName().buffer());
      file.flush();
      wanted.header().change().backingFile(place, nameLength).build().encode(encoded);
      encoded.limit(encoded.limit() - nameLength);
    }
    file.write(0, encoded);
    file.flush();
    head = Qcow2Image.readHead(file);
  }

  /** A place behind the first sector that nothing of the present head uses. */
  private int roomForName(int length) {
    int extensions = Math.max(SECTOR, end(head.extensions().size() - 1) + EXTENSION_HEADER);
    long name = head.header().backingFileOffset();
    boolean before = name == 0 || extensions + length <= name;
    return before ? extensions : (int) Math.max(extensions, name + head.backingFileName().length());
  }

  /** Moves the snapshot table: one write inside the first sector, durable when this returns. */
  public void putSnapshots(long offset, long count) throws IOException {
    setHeader(head.header().change().snapshots(offset, count).build());
    file.flush();
  }

  /**
   * Makes another L1 table the active one, with the size of the disk that it maps: one write inside
   * the first sector, durable when this returns.
   */
  public void putActiveTable(long l1Offset, int l1Size, long diskSize) throws IOException {
    setHeader(head.header().change().l1Table(l1Offset, l1Size).size(diskSize).build());
    file.flush();
  }

  private void setHeader(Header header) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(header.headerLength());
    header.encode(bytes);
    // Fields that writers change all lie in the first 104 bytes; what a longer header adds stays.
    file.write(0, bytes.limit(Math.min(bytes.limit(), Header.MIN_LENGTH_V3)));
    head = head.withHeader(header);
  }

  /**
   * Clears autoclear bits of features that this library does not know, as a writer has to before it
   * changes anything else. Durable when this returns.
   */
  public void clearUnknownAutoclear() throws IOException {
    FeatureBits features = head.header().features();
    long known = features.autoclear() & ~features.unknown(Feature.Kind.AUTOCLEAR);
    setFeaturesDurably(new FeatureBits(features.incompatible(), features.compatible(), known));
  }

  /**
   * Puts a bitmaps extension in force, with its autoclear bit. Durable when this returns.
   *
   * @param payload the extension's 24 bytes
   * @throws CorruptImageException if the first cluster has no room for it
   */
  public void putBitmaps(Bytes payload) throws IOException {
    int index = lastBitmaps();
    if (index < 0) {
      // Without an extension the bit may still be set, and would give meaning to half of one.
      setBitmapsBit(false);
      appendBitmaps(payload);
    } else {
      int at = end(index - 1) + EXTENSION_HEADER;
      if (at / SECTOR != (at + payload.length() - 1) / SECTOR) {
        setBitmapsBit(false);
      }
      file.write(at, payload.buffer());
      file.flush();
      List<HeaderExtension> extensions = new ArrayList<>(head.extensions());
      extensions.set(index, new HeaderExtension.Bitmaps(payload));
      head = new ImageHead(head.header(), extensions, head.backingFileName());
    }
    setBitmapsBit(true);
  }

  /** Takes bitmaps out of force, and their extension away. Durable when this returns. */
  public void dropBitmaps() throws IOException {
    setBitmapsBit(false);
    int last = lastBitmaps();
    if (last < 0) {
      return;
    }
    ImageHead without = head.withoutExtension(HeaderExtension.BITMAPS_TYPE);
    int first = 0;
    while (head.extensions().get(first).type() != HeaderExtension.BITMAPS_TYPE) {
      first++;
    }
    // What follows moves up: the one change here that may be longer than a sector. Mostly it is
    // just the mark that ends the list.
    file.write(
        end(first - 1), encode(without.extensions().subList(first, without.extensions().size())));
    file.flush();
    head = without;
  }

  private void setBitmapsBit(boolean on) throws IOException {
    FeatureBits features = head.header().features();
    setFeaturesDurably(on ? features.with(Feature.BITMAPS) : features.without(Feature.BITMAPS));
  }

  private void setFeaturesDurably(FeatureBits features) throws IOException {
    if (!features.equals(head.header().features())) {
      setHeader(head.header().change().features(features).build());
      file.flush();
    }
  }

  /** The extension that counts: the last of its type; -1 for none. */
  private int lastBitmaps() {
    int index = head.extensions().size() - 1;
    while (index >= 0 && head.extensions().get(index).type() != HeaderExtension.BITMAPS_TYPE) {
      index--;
    }
    return index;
  }

  /** The first byte behind extension {@code index}; -1 asks for the header's own end. */
  private int end(int index) {
    int end = head.header().headerLength();
    for (int i = 0; i <= index; i++) {
      end += encodedSize(head.extensions().get(i));
    }
    return end;
  }

  private static int encodedSize(HeaderExtension extension) {
    return EXTENSION_HEADER + ((extension.payload().length() + 7) & -8);
  }

  /** Extensions with the mark that ends their list. */
  private static ByteBuffer encode(List<HeaderExtension> extensions) {
    int size = extensions.stream().mapToInt(HeadWriter::encodedSize).sum() + EXTENSION_HEADER;
    ByteBuffer bytes = ByteBuffer.allocate(size);
    for (HeaderExtension extension : extensions) {
      int end = bytes.position() + encodedSize(extension);
      bytes.putInt(extension.type()).putInt(extension.payload().length());
      bytes.put(extension.payload().buffer()).position(end);
    }
    return bytes.rewind();
  }

  /**
   * Adds the extension behind the others: first its content and the mark that ends the list behind
   * it, then its type over the mark that ended the list so far.
   */
  private void appendBitmaps(Bytes payload) throws IOException {
    HeaderExtension added = new HeaderExtension.Bitmaps(payload);
    int at = end(head.extensions().size() - 1);
    List<HeaderExtension> extensions = new ArrayList<>(head.extensions());
    extensions.add(added);
    ImageHead longer = new ImageHead(head.header(), extensions, head.backingFileName());
    long nameAt = head.header().backingFileOffset();
    if (nameAt != 0 && nameAt < at + EXTENSION_HEADER) {
      // The list ends at the name, without a mark: the whole head can only change at once.
      replace(longer);
      return;
    }
    ByteBuffer encoded = encode(List.of(added));
    makeRoom(at + encoded.remaining());
    file.write(
        at + EXTENSION_HEADER, encoded.slice(EXTENSION_HEADER, encoded.limit() - EXTENSION_HEADER));
    file.flush();
    file.write(at, encoded.limit(EXTENSION_HEADER));
    file.flush();
    head = longer.withHeader(head.header());
  }

  /** Moves the backing file's name behind {@code end} if it stands before: a copy first. */
  private void makeRoom(int end) throws IOException {
    Header header = head.header();
    long nameAt = header.backingFileOffset();
    int length = head.backingFileName().length();
    boolean inTheWay = nameAt != 0 && nameAt < end;
    long place = Math.max(end, nameAt + length);
    if ((inTheWay ? place + length : end) > 1L << header.clusterBits()) {
      throw new CorruptImageException(
          "header, extensions and backing file name leave no room for bitmaps in a cluster of %d bytes"
              .formatted(1L << header.clusterBits()));
    }
    if (inTheWay) {
      file.write(place, head.backingFileName().buffer());
      file.flush();
      setHeader(header.change().backingFile(place, length).build());
      file.flush();
    }
  }
}
