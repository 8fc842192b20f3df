package dev.cowbell.it.fuzz;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Something that reads what strangers made. */
enum FuzzTarget {
  HEAD,
  IMAGE,
  WRITE,
  CHECK,
  REPAIR,
  BITMAPS,
  BITMAP_EDITOR,
  COMPRESSED,
  LUKS,
  OVERLAY,
  MANIFEST,
  STORE_URL,
  CONFIGURATION;

  /**
   * More than any input of a few kilobytes may cost: QEMU's largest L1 table of 32 MiB, several
   * times over, and no more.
   */
  private static final long MAX_ALLOCATED = 256L << 20;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** The name of the folder of its kept inputs. */
  String folder() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Well-formed inputs to begin with.
   *
   * @param scratch a folder for files
   */
  List<byte[]> seeds(Path scratch) {
    return switch (this) {
      case HEAD, IMAGE, CHECK, BITMAPS, BITMAP_EDITOR -> Seeds.images(scratch);
      case WRITE -> Seeds.writtenImages(scratch);
      case REPAIR -> Seeds.damagedImages(scratch);
      case COMPRESSED -> Seeds.packedClusters();
      case LUKS -> LuksTarget.seeds();
      case OVERLAY -> OverlayTarget.seeds();
      case MANIFEST -> Seeds.manifests(scratch);
      case STORE_URL -> Seeds.urls();
      case CONFIGURATION -> Seeds.configurations();
    };
  }

  /**
   * Reads an input.
   *
   * @throws Exception what is a finding: anything but the refusals that are documented
   */
  void run(byte[] input) throws Exception {
    long allocated = measure(input);
    if (allocated > maxAllocated()) {
      // the first time, classes are loaded and instrumented on this thread
      allocated = measure(input);
    }
    if (allocated > maxAllocated()) {
      throw new AssertionError(
          "%d bytes of input made %s allocate %d".formatted(input.length, this, allocated));
    }
  }

  /**
   * A repair reads all metadata again after each of its rounds, and is done three times here upon a
   * file whose every read and write allocates: its bound is time, and the heap.
   */
  private long maxAllocated() {
    return this == REPAIR ? 16 * MAX_ALLOCATED : MAX_ALLOCATED;
  }

  private long measure(byte[] input) throws Exception {
    long before = THREADS.getCurrentThreadAllocatedBytes();
    try {
      read(input.clone());
    } catch (Exception e) {
      if (!Refusals.isRefusal(e)) {
        throw e;
      }
    }
    return THREADS.getCurrentThreadAllocatedBytes() - before;
  }

  private void read(byte[] input) throws Exception {
    switch (this) {
      case HEAD -> ImageTargets.head(input);
      case IMAGE -> ImageTargets.image(input);
      case WRITE -> ImageTargets.write(input);
      case CHECK -> ImageTargets.check(input);
      case REPAIR -> RepairTarget.run(input);
      case BITMAPS -> ImageTargets.bitmaps(input);
      case BITMAP_EDITOR -> ImageTargets.bitmapEditor(input);
      case COMPRESSED -> ImageTargets.compressed(input);
      case LUKS -> LuksTarget.run(input);
      case OVERLAY -> OverlayTarget.run(input);
      case MANIFEST -> DocumentTargets.manifest(input);
      case STORE_URL -> DocumentTargets.storeUrl(input);
      case CONFIGURATION -> DocumentTargets.configuration(input);
    }
  }
}
