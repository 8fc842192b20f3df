package dev.cowbell.agent.digests;

import dev.cowbell.agent.repository.DigestsRecord;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.overlay.ContentDigest;
import dev.cowbell.qcow2.overlay.DigestSink;
import dev.cowbell.qcow2.overlay.OverlayIdentity;
import dev.cowbell.qcow2.overlay.Sha256;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectUpload;
import dev.cowbell.storage.Precondition;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Optional;

/**
 * Writes a digests object front to back, in constant memory. Runs that continue each other are
 * joined. Closing without {@link #commit} leaves nothing behind.
 */
public final class DigestsWriter implements DigestSink, Closeable {

  /** The bytes of digests that a run has at most: bounds what a reader has to hold. */
  static final int MAX_RUN_DIGESTS = 64 << 10;

  /** The bytes that begin a run: offset, count, kind, bits of the unit, two zeroes. */
  static final int RUN_HEADER = 16;

  private static final int BUFFER = 1 << 20;
  private static final long MAX_COUNT = Integer.MAX_VALUE;

  private final OverlayIdentity identity;
  private final Optional<PointId> upon;
  private final long diskSize;
  private final ObjectUpload upload;
  private final MessageDigest seal;
  private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
  private final ByteBuffer digests = ByteBuffer.allocate(MAX_RUN_DIGESTS);
  private long written;

  private DigestRun.Kind kind = DigestRun.Kind.UNKNOWN;
  private int unit = ContentDigest.MIN_UNIT;
  private long start;
  private long end;

  private DigestsWriter(
      OverlayIdentity identity, Optional<PointId> upon, long diskSize, ObjectUpload upload) {
    this.identity = identity;
    this.upon = upon;
    this.diskSize = diskSize;
    this.upload = upload;
    try {
      this.seal = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  /**
   * Begins an object.
   *
   * @param identity what it describes
   * @param upon the point below
   * @param described about how many guest bytes will be described
   */
  public static DigestsWriter begin(
      ObjectStore store,
      ObjectKey key,
      Precondition precondition,
      OverlayIdentity identity,
      Optional<PointId> upon,
      long diskSize,
      long described)
      throws IOException {
    long expected = described / ContentDigest.MIN_UNIT * ContentDigest.LENGTH * 2 + BUFFER;
    return new DigestsWriter(
        identity, upon, diskSize, store.begin(key, DigestsHead.LENGTH, precondition, expected));
  }

  @Override
  public void zero(long offset, long length) throws IOException {
    add(DigestRun.Kind.ZERO, offset, length);
  }

  /** Guest bytes of which nothing is known, whatever is known of them below. */
  void unknown(long offset, long length) throws IOException {
    add(DigestRun.Kind.UNKNOWN, offset, length);
  }

  private void add(DigestRun.Kind added, long offset, long length) throws IOException {
    if (kind != added || end != offset) {
      begin(added, ContentDigest.MIN_UNIT, offset);
    }
    end = offset + length;
  }

  @Override
  public void data(long offset, int newUnit, ByteBuffer added) throws IOException {
    if (kind != DigestRun.Kind.DATA || unit != newUnit || end != offset) {
      begin(DigestRun.Kind.DATA, newUnit, offset);
    }
    ByteBuffer rest = added.slice();
    while (rest.hasRemaining()) {
      if (!digests.hasRemaining()) {
        begin(DigestRun.Kind.DATA, newUnit, end);
      }
      int length = Math.min(rest.remaining(), digests.remaining());
      digests.put(rest.slice(rest.position(), length));
      rest.position(rest.position() + length);
      end += (long) length / ContentDigest.LENGTH * unit;
    }
  }

  private void begin(DigestRun.Kind newKind, int newUnit, long offset) throws IOException {
    writeRun();
    kind = newKind;
    unit = newUnit;
    start = offset;
    end = offset;
    digests.clear();
  }

  private void writeRun() throws IOException {
    while (start < end) {
      long count = Math.min((end - start) / unit, MAX_COUNT);
      if (buffer.remaining() < RUN_HEADER + digests.position()) {
        writeBuffer();
      }
      buffer
          .putLong(start)
          .putInt((int) count)
          .put((byte) kind.code())
          .put((byte) Integer.numberOfTrailingZeros(unit))
          .putShort((short) 0)
          .put(digests.flip());
      start += count * unit;
    }
  }

  private void writeBuffer() throws IOException {
    buffer.flip();
    seal.update(buffer.duplicate());
    written += buffer.remaining();
    upload.append(buffer);
    buffer.clear();
  }

  /** Makes the object visible. */
  public DigestsRecord commit() throws IOException {
    writeRun();
    writeBuffer();
    DigestsHead head =
        new DigestsHead(
            identity.repository(),
            identity.vm(),
            identity.disk(),
            identity.point(),
            upon,
            diskSize,
            written,
            new Sha256(Bytes.copyOf(seal.digest())));
    ObjectInfo info = upload.commit(head.encode());
    return new DigestsRecord(info.size());
  }

  @Override
  public void close() {
    upload.close();
  }
}
