package dev.cowbell.qcow2.layers;

import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.MapEntry;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.ReferenceException;
import dev.cowbell.qcow2.ReferenceOpener;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.check.ImageRepair;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import dev.cowbell.qcow2.io.Zeroes;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Gives an image another backing file, or none, as {@code qemu-img rebase} does. {@code
 * docs/layers.md} has the order of steps.
 */
public final class LayerRebase {
  private static final int CHUNK = 2 << 20;
  private static final long WINDOW = 64L << 20;

  private final OpenOptions options;
  private final LayerListener listener;

  /**
   * Prepares for rebasing.
   *
   * @param options how to open images and follow references; what is written is up to the rebase
   */
  public LayerRebase(OpenOptions options, LayerListener listener) {
    this.options = options;
    this.listener = listener;
  }

  /**
   * Changes just what the image says. Without another content below, its guest sees something else
   * afterwards.
   *
   * @throws dev.cowbell.qcow2.ReferenceException if the image has no room for the name
   */
  public void unsafely(Path path, Optional<NewBacking> wanted) throws IOException {
    try (HostFile file = ChannelHostFile.open(path, ImageLock.Use.WRITE)) {
      try {
        ImageRepair.recoverDirty(file);
        HeadWriter head = HeadWriter.open(file);
        NewBacking.head(head.head(), wanted);
        ClusterAllocator.open(file, head);
        head.clearUnknownAutoclear();
        head.replace(NewBacking.head(head.head(), wanted));
      } catch (ImageException e) {
        throw e.in(file.name());
      }
    }
  }

  /**
   * Changes what is below an image so that its guest sees no difference: where the old chain and
   * the new one differ, the image gets what the old one shows. That is durable before the image
   * refers to the new one.
   */
  public void safely(Path path, Optional<NewBacking> wanted) throws IOException {
    ReferenceOpener references = options.references();
    ReferenceOpener guarded =
        reference -> {
          refuseLoop(path, reference.path());
          return references.open(reference);
        };
    try (Qcow2Image image = Qcow2Image.open(path, options.withAccess(Access.READ_WRITE))) {
      run(image, wanted, options.withAccess(Access.READ_ONLY).withReferences(guarded));
    }
  }

  /** Rebases an image that was opened for this. */
  void run(Qcow2Image image, Optional<NewBacking> wanted, OpenOptions reading) throws IOException {
    try {
      NewBacking.head(image.head(), wanted);
    } catch (ImageException e) {
      throw e.in(image.file().name());
    }
    listener.begin(image.size());
    try (MappedDisk below = open(image, wanted, reading)) {
      new Difference(image, below).copy();
    }
    image.flush();
    image.edit((file, head, allocator) -> {
      head.replace(NewBacking.head(head.head(), wanted));
      return file;
    });
  }

  private static @Nullable MappedDisk open(
      Qcow2Image image, Optional<NewBacking> wanted, OpenOptions reading) throws IOException {
    return wanted.isEmpty()
        ? null
        : Qcow2Image.openBackingFile(
            image.file(), wanted.get().name(), wanted.get().format(), reading);
  }

  /** Said before the image's own lock is found on it. */
  private static void refuseLoop(Path image, Path below) throws ReferenceException {
    boolean same = false;
    try {
      same = Files.isSameFile(image, below);
    } catch (IOException | InvalidPathException _) {
      // Opening it says what is wrong.
    }
    if (same) {
      throw new ReferenceException("the new backing chain comes back to the image itself");
    }
  }

  /** Where two chains differ below an image. */
  private final class Difference {
    private final Qcow2Image image;
    private final @Nullable MappedDisk newBelow;
    private final long newSize;
    private final int unit;
    private final ByteBuffer shown;
    private final ByteBuffer other;
    private final ByteBuffer zeroes;

    Difference(Qcow2Image image, @Nullable MappedDisk newBelow) {
      this.image = image;
      this.newBelow = newBelow;
      this.newSize = newBelow == null ? 0 : newBelow.size();
      this.unit = image.head().header().geometry().clusterSize();
      this.shown = ByteBuffer.allocateDirect(CHUNK);
      this.other = ByteBuffer.allocateDirect(CHUNK);
      this.zeroes = ByteBuffer.allocateDirect(CHUNK);
    }

    void copy() throws IOException {
      for (long at = 0; at < image.size(); at += WINDOW) {
        long length = Math.min(WINDOW, image.size() - at);
        for (MapEntry run : openRuns(at, length)) {
          compare(run);
        }
        listener.done(length);
      }
    }

    /** The runs that the image leaves to what is below. */
    private List<MapEntry> openRuns(long at, long length) throws IOException {
      List<MapEntry> runs = new ArrayList<>();
      image.map(
          at,
          length,
          entry -> {
            if (entry.depth() > 0 || entry.kind() == MapEntry.Kind.ABSENT) {
              runs.add(entry);
            }
          });
      return runs;
    }

    private void compare(MapEntry run) throws IOException {
      for (MapEntry below : newRuns(run)) {
        if ((run.zero() && below.zero()) || isSamePlace(run, below)) {
          continue;
        }
        for (long at = below.start(); at < below.end(); at = chunkEnd(at, below.end())) {
          compare(at, (int) (chunkEnd(at, below.end()) - at));
          listener.done(0);
        }
      }
    }

    private List<MapEntry> newRuns(MapEntry run) throws IOException {
      List<MapEntry> runs = new ArrayList<>();
      MappedDisk below = newBelow;
      long covered = Math.clamp(newSize - run.start(), 0, run.length());
      if (below != null && covered > 0) {
        below.map(run.start(), covered, runs::add);
      }
      if (covered < run.length()) {
        runs.add(
            new MapEntry(
                run.start() + covered,
                run.length() - covered,
                MapEntry.Kind.ABSENT,
                0,
                OptionalLong.empty(),
                Optional.empty()));
      }
      return runs;
    }

    /** Chains mostly share their lower layers: what both take from one place is the same. */
    private boolean isSamePlace(MapEntry old, MapEntry below) {
      return old.kind() == MapEntry.Kind.DATA
          && below.kind() == MapEntry.Kind.DATA
          && old.file().isPresent()
          && old.file().equals(below.file())
          && old.offset().isPresent()
          && below.offset().isPresent()
          && old.offset().getAsLong() + (below.start() - old.start()) == below.offset().getAsLong();
    }

    private long chunkEnd(long at, long end) {
      return Math.min((at & -CHUNK) + CHUNK, end);
    }

    private void compare(long at, int length) throws IOException {
      image.read(at, shown.clear().limit(length));
      int covered = Math.clamp(newSize - at, 0, length);
      other.clear().limit(covered);
      if (newBelow != null && covered > 0) {
        newBelow.read(at, other);
      }
      Zeroes.fill(other.limit(length).position(covered));
      int from = 0;
      while (from < length) {
        int to = (int) Math.min(length, ((at + from) & -unit) + unit - at);
        boolean differs = differs(shown, other, from, to);
        while (to < length) {
          int next = Math.min(length, to + unit);
          if (differs(shown, other, to, next) != differs) {
            break;
          }
          to = next;
        }
        if (differs) {
          keep(at, from, to);
        }
        from = to;
      }
    }

    private void keep(long at, int from, int to) throws IOException {
      if (!differs(shown, zeroes, from, to)) {
        image.writeZeroes(at + from, to - from, ZeroSpace.MAY_FREE);
      } else {
        image.write(at + from, shown.slice(from, to - from));
      }
    }

    private boolean differs(ByteBuffer a, ByteBuffer b, int from, int to) {
      return a.slice(from, to - from).mismatch(b.slice(from, to - from)) >= 0;
    }
  }
}
