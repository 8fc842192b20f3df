package dev.cowbell.it.fuzz;

import dev.cowbell.qcow2.Extent;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.compress.CodecPool;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.overlay.ExtentCursor;
import dev.cowbell.qcow2.overlay.MetadataCache;
import dev.cowbell.qcow2.overlay.OverlayChain;
import dev.cowbell.qcow2.overlay.OverlayChainDisk;
import dev.cowbell.qcow2.overlay.OverlayIdentity;
import dev.cowbell.qcow2.overlay.OverlayMonitor;
import dev.cowbell.qcow2.overlay.OverlayReader;
import dev.cowbell.qcow2.overlay.OverlaySource;
import dev.cowbell.qcow2.overlay.OverlaySpec;
import dev.cowbell.qcow2.overlay.OverlayWriter;
import dev.cowbell.qcow2.overlay.WrittenOverlay;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/**
 * A stored overlay. Its seals are made to fit what the fuzzer wrote: they keep damage out, not a
 * repository that lies.
 */
final class OverlayTarget {
  private static final int CLUSTER = 4096;
  private static final int DISK = 40 * CLUSTER;

  /** "Cbel": the type of the extension that says where the integrity table is. */
  private static final int EXTENSION = 0x4362656c;

  private static final int DIGEST = 32;
  private static final int SEAL = 8 + 4 + 4 + DIGEST;

  private OverlayTarget() {}

  private static final class Stored implements OverlaySource {
    private final byte[] object;

    private Stored(byte[] object) {
      this.object = object;
    }

    @Override
    public String name() {
      return "fuzzed";
    }

    @Override
    public long size() {
      return object.length;
    }

    @Override
    public void read(long at, ByteBuffer dst) {
      if (at < 0 || at > object.length - dst.remaining()) {
        throw new IllegalArgumentException(
            "%d bytes at %d of %d were asked for".formatted(dst.remaining(), at, object.length));
      }
      dst.put(object, (int) at, dst.remaining());
    }
  }

  static void run(byte[] input) throws IOException {
    byte[] object = sealed(input.clone());
    OverlayReader overlay =
        OverlayReader.open(new Stored(object), Optional.empty(), new MetadataCache());
    long size = overlay.size();
    try (OverlayChainDisk disk = new OverlayChainDisk(new OverlayChain(List.of(overlay)))) {
      for (long at : new long[] {0, size / 2 & -512L, Math.max(0, size - CLUSTER) & -512L}) {
        int length = (int) Math.min(16L * CLUSTER, size - at);
        disk.extents(at, length);
        disk.read(at, ByteBuffer.allocate(length));
      }
    }
  }

  /** Computes every digest anew that the reader can find. */
  private static byte[] sealed(byte[] object) {
    int extension = findExtension(object);
    if (extension < 0) {
      return object;
    }
    ByteBuffer bytes = ByteBuffer.wrap(object);
    int tableLength = bytes.getInt(extension + 4);
    long tableOffset = bytes.getLong(extension + 8);
    if (!isInside(object, tableOffset, tableLength)) {
      return object;
    }
    for (long at = tableOffset; at + SEAL <= tableOffset + tableLength; at += SEAL) {
      long offset = bytes.getLong((int) at);
      int length = bytes.getInt((int) at + 8);
      if (isInside(object, offset, length)) {
        bytes.put((int) at + 16, sha256(object, (int) offset, length));
      }
    }
    bytes.put(extension + 16, sha256(object, (int) tableOffset, tableLength));
    return object;
  }

  private static int findExtension(byte[] object) {
    ByteBuffer bytes = ByteBuffer.wrap(object);
    for (int at = 72; at + 72 <= Math.min(object.length, CLUSTER); at += 8) {
      if (bytes.getInt(at) == EXTENSION) {
        return at + 8;
      }
    }
    return -1;
  }

  private static boolean isInside(byte[] object, long offset, long length) {
    return offset >= 0 && length >= 0 && offset <= object.length - length;
  }

  private static byte[] sha256(byte[] object, int offset, int length) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(object, offset, length);
      return digest.digest();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  static List<byte[]> seeds() {
    byte[] content = new byte[DISK];
    new Random(1).nextBytes(content);
    java.util.Arrays.fill(content, 10 * CLUSTER, 20 * CLUSTER, (byte) 3);
    return List.of(overlay(content, Optional.empty()), overlay(content, Optional.of("p.qcow2")));
  }

  private static byte[] overlay(byte[] content, Optional<String> parent) {
    try (CodecPool pool = new CodecPool(1);
        RawDisk disk = RawDisk.adopt(new MemoryHostFile("seed", content))) {
      OverlaySpec spec =
          new OverlaySpec(
              DISK,
              CLUSTER,
              parent,
              new OverlayIdentity("r", "vm", "disk", "20260101T000000Z-0a1b"));
      List<Extent> extents =
          List.of(
              new Extent(0, 5L * CLUSTER, Extent.Status.DATA),
              new Extent(10L * CLUSTER, 10L * CLUSTER, Extent.Status.DATA),
              new Extent(20L * CLUSTER, 8L * CLUSTER, Extent.Status.ZERO));
      ByteArrayOutputStream body = new ByteArrayOutputStream();
      WrittenOverlay written =
          new OverlayWriter(pool)
              .write(
                  spec,
                  disk,
                  ExtentCursor.of(extents.iterator()),
                  bytes -> {
                    byte[] copy = new byte[bytes.remaining()];
                    bytes.get(copy);
                    body.writeBytes(copy);
                  },
                  OverlayMonitor.NONE);
      ByteBuffer head = written.head();
      byte[] object = new byte[head.remaining() + body.size()];
      int length = head.remaining();
      head.get(object, 0, length);
      System.arraycopy(body.toByteArray(), 0, object, length, body.size());
      return object;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
