package dev.cowbell.it.overlay;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.qcow2.overlay.ExtentCursor;
import dev.cowbell.qcow2.overlay.MetadataCache;
import dev.cowbell.qcow2.overlay.OverlayChain;
import dev.cowbell.qcow2.overlay.OverlayExpectation;
import dev.cowbell.qcow2.overlay.OverlayIdentity;
import dev.cowbell.qcow2.overlay.OverlayMonitor;
import dev.cowbell.qcow2.overlay.OverlayReader;
import dev.cowbell.qcow2.overlay.OverlaySink;
import dev.cowbell.qcow2.overlay.OverlaySource;
import dev.cowbell.qcow2.overlay.OverlaySpec;
import dev.cowbell.qcow2.overlay.OverlaySummary;
import dev.cowbell.qcow2.overlay.OverlayVerifier;
import dev.cowbell.qcow2.overlay.OverlayWriter;
import dev.cowbell.qcow2.overlay.WrittenOverlay;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A disk's folder as a repository has it: one file {@code <point>.qcow2} for each point. */
final class OverlayFolder implements Closeable {
  private final Path folder;
  private final CodecPool pool = new CodecPool(2);
  private final List<OverlaySummary> summaries = new ArrayList<>();
  private final List<FileChannel> open = new ArrayList<>();

  OverlayFolder(Path folder) {
    this.folder = folder;
  }

  static String name(int point) {
    return "point-" + point + ".qcow2";
  }

  Path file(int point) {
    return folder.resolve(name(point));
  }

  /** The points written so far. */
  int points() {
    return summaries.size();
  }

  OverlaySummary summary(int point) {
    return summaries.get(point);
  }

  /** Writes the next point, over the one before unless it is the first. */
  OverlaySummary write(GuestDisk disk, int clusterSize, ExtentCursor extents) throws IOException {
    int point = points();
    OverlaySpec spec =
        new OverlaySpec(
            disk.size(),
            clusterSize,
            point == 0 ? Optional.empty() : Optional.of(name(point - 1)),
            new OverlayIdentity("repository", "web", "vda", "point-" + point));
    try (FileChannel file =
        FileChannel.open(file(point), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      Appender appender = new Appender(file, spec.headLength());
      WrittenOverlay written =
          new OverlayWriter(pool).write(spec, disk, extents, appender, OverlayMonitor.NONE);
      file.write(written.head(), 0);
      summaries.add(written.summary());
      return written.summary();
    }
  }

  private static final class Appender implements OverlaySink {
    private final FileChannel file;
    private long position;

    Appender(FileChannel file, long position) {
      this.file = file;
      this.position = position;
    }

    @Override
    public void append(ByteBuffer body) throws IOException {
      while (body.hasRemaining()) {
        position += file.write(body, position);
      }
    }
  }

  /** Fails unless QEMU finds nothing wrong with any point. */
  void assertAllClean() {
    for (int point = 0; point < points(); point++) {
      QemuImg.checkClean(file(point));
    }
  }

  /** The damages that a full verification of a point finds. */
  List<?> verify(int point) throws IOException {
    return new OverlayVerifier(pool)
        .data(source(point), OverlayExpectation.of(summary(point)), OverlayMonitor.NONE);
  }

  /** The chain of a point, read by us. */
  OverlayChain chain(int point) throws IOException {
    MetadataCache cache = new MetadataCache();
    List<OverlayReader> overlays = new ArrayList<>();
    for (int i = point; i >= 0; i--) {
      overlays.add(OverlayReader.open(source(i), Optional.of(summary(i).headDigest()), cache));
    }
    return new OverlayChain(overlays);
  }

  OverlaySource source(int point) throws IOException {
    FileChannel file = FileChannel.open(file(point));
    open.add(file);
    return new FileSource(name(point), file, file.size());
  }

  private record FileSource(String name, FileChannel file, long size) implements OverlaySource {
    @Override
    public void read(long at, ByteBuffer dst) throws IOException {
      long position = at;
      while (dst.hasRemaining()) {
        int read = file.read(dst, position);
        if (read < 0) {
          throw new IOException(name + " ends at " + position);
        }
        position += read;
      }
    }
  }

  @Override
  public void close() throws IOException {
    pool.close();
    for (FileChannel file : open) {
      file.close();
    }
  }
}
