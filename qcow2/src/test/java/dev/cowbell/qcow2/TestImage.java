package dev.cowbell.qcow2;

import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.HeaderBuilder;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.HeaderExtension.BackingFormat;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.format.L1Entry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A small image in memory, put together entry by entry. It has no refcounts, which reading does not
 * look at.
 */
public final class TestImage {
  private final MemoryHostFile file;
  private final Geometry geometry;
  private final Header header;
  private final List<HeaderExtension> extensions = new ArrayList<>();
  private Bytes backing = Bytes.EMPTY;
  private long end;

  /**
   * An image whose L1 table starts in cluster 2; the builder says size, cluster size and the rest.
   */
  public TestImage(String name, HeaderBuilder builder) {
    Header wanted = builder.build();
    this.geometry = wanted.geometry();
    int clusterSize = geometry.clusterSize();
    int entries = (int) geometry.l1EntriesFor(wanted.size());
    this.header =
        wanted.change().l1Table(2L * clusterSize, entries).refcountTable(clusterSize, 1).build();
    this.file = new MemoryHostFile(name);
    this.end = (2 + geometry.clustersFor(entries * 8L)) * clusterSize;
    file.resize(end);
    writeHead();
  }

  public MemoryHostFile file() {
    return file;
  }

  public Geometry geometry() {
    return geometry;
  }

  public Header header() {
    return header;
  }

  public TestImage backing(String name, String format) {
    backing = Bytes.utf8(name);
    if (!format.isEmpty()) {
      extensions.add(BackingFormat.of(format));
    }
    writeHead();
    return this;
  }

  private void writeHead() {
    file.write(0, new ImageHead(header, extensions, backing).encode());
  }

  /** Sets the entry for a guest cluster, with a new L2 table where there is none. */
  public TestImage entry(long guestOffset, L2Entry entry) {
    long l1At = header.l1TableOffset() + geometry.l1Index(guestOffset) * 8;
    long table = L1Entry.offset(word(l1At));
    if (table == 0) {
      table = allocate();
      write(l1At, L1Entry.of(table, true).word());
    }
    long at = table + (long) geometry.l2Index(guestOffset) * geometry.l2EntrySize();
    write(at, entry.word());
    if (header.features().has(Feature.EXTENDED_L2)) {
      write(at + 8, entry.bitmap());
    }
    return this;
  }

  /** Stores a cluster's bytes and returns where. */
  public long store(byte[] bytes) {
    long at = end;
    file.write(at, ByteBuffer.wrap(bytes));
    end += geometry.clustersFor(bytes.length) * geometry.clusterSize();
    file.resize(end);
    return at;
  }

  /** A cluster that is all one byte. */
  public long storeFilled(int value) {
    byte[] bytes = new byte[geometry.clusterSize()];
    Arrays.fill(bytes, (byte) value);
    return store(bytes);
  }

  public long allocate() {
    return store(new byte[geometry.clusterSize()]);
  }

  public Qcow2Image open() throws IOException {
    return Qcow2Image.adopt(file, OpenOptions.strict());
  }

  private long word(long at) {
    ByteBuffer word = ByteBuffer.allocate(8);
    file.read(at, word);
    return word.getLong(0);
  }

  public void write(long at, long word) {
    file.write(at, ByteBuffer.allocate(8).putLong(0, word));
  }
}
