package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.compress.CodecPool;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.Optional;

/** An overlay written into memory. */
final class StoredOverlay implements OverlaySource {
  static final OverlayIdentity IDENTITY =
      new OverlayIdentity("5d2c0f", "web-1", "vda", "20260101T000000Z-0a1b");

  private final String name;
  private final byte[] object;
  private final OverlaySummary summary;

  StoredOverlay(String name, byte[] object, OverlaySummary summary) {
    this.name = name;
    this.object = object;
    this.summary = summary;
  }

  static StoredOverlay write(
      String name,
      CodecPool pool,
      GuestDisk disk,
      int clusterSize,
      Optional<String> backingFile,
      ExtentCursor extents)
      throws IOException {
    OverlaySpec spec = new OverlaySpec(disk.size(), clusterSize, backingFile, IDENTITY);
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    WrittenOverlay written =
        new OverlayWriter(pool)
            .write(spec, disk, extents, bytes -> append(body, bytes), OverlayMonitor.NONE);
    ByteBuffer object = ByteBuffer.allocate(spec.headLength() + body.size());
    object.put(written.head()).put(body.toByteArray());
    return new StoredOverlay(name, object.array(), written.summary());
  }

  private static void append(ByteArrayOutputStream body, ByteBuffer bytes) {
    byte[] copy = new byte[bytes.remaining()];
    bytes.get(copy);
    body.writeBytes(copy);
  }

  StoredOverlay with(byte[] otherObject) {
    return new StoredOverlay(name, otherObject, summary);
  }

  OverlayExpectation expectation() {
    return OverlayExpectation.of(summary);
  }

  OverlayReader open() throws IOException {
    return OverlayReader.open(this, Optional.of(summary.headDigest()), new MetadataCache());
  }

  byte[] object() {
    return object;
  }

  OverlaySummary summary() {
    return summary;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public long size() {
    return object.length;
  }

  @Override
  public void read(long at, ByteBuffer dst) {
    Objects.checkFromIndexSize(at, (long) dst.remaining(), (long) object.length);
    dst.put(object, (int) at, dst.remaining());
  }
}
