package dev.cowbell.agent.digests;

import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.overlay.OverlaySpec;
import dev.cowbell.qcow2.overlay.Sha256;
import dev.cowbell.storage.ObjectKey;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The beginning of a digests object, {@value #LENGTH} bytes, sealed: see docs/digests.md.
 *
 * @param repository the repository's id
 * @param vm whose disk it is
 * @param disk the disk
 * @param point the point whose content is described
 * @param upon the point below: what is not mentioned is as there. Empty if nothing is below
 * @param diskSize in bytes
 * @param bodyLength the bytes behind the head
 * @param bodyDigest of them
 */
record DigestsHead(
    String repository,
    String vm,
    String disk,
    String point,
    Optional<PointId> upon,
    long diskSize,
    long bodyLength,
    Sha256 bodyDigest) {

  static final int LENGTH = 1024;

  private static final long MAGIC = 0x434f_5742_454c_4c44L;
  private static final int VERSION = 1;
  private static final int SEALED = LENGTH - Sha256.LENGTH;
  private static final int PARTS = 5;
  private static final int MAX_PART = 128;

  ByteBuffer encode() {
    ByteBuffer head = ByteBuffer.allocate(LENGTH);
    head.putLong(MAGIC).putInt(VERSION).putInt(0).putLong(diskSize).putLong(bodyLength);
    head.put(bodyDigest.bytes().toArray());
    for (String part : List.of(repository, vm, disk, point, upon.map(PointId::value).orElse(""))) {
      byte[] text = part.getBytes(StandardCharsets.UTF_8);
      head.putShort((short) text.length).put(text);
    }
    head.put(SEALED, Sha256.of(head.slice(0, SEALED)).bytes().toArray());
    return head.clear();
  }

  /**
   * Reads a head.
   *
   * @param object its length in bytes
   * @throws DamagedObjectException if it is not what was once written, or of a later version
   */
  static DigestsHead decode(ObjectKey key, long object, ByteBuffer head)
      throws DamagedObjectException {
    Sha256 seal = new Sha256(Bytes.copyOf(bytes(head, SEALED, 32)));
    if (head.getLong(0) != MAGIC) {
      throw new DamagedObjectException(key, "does not begin as digests do");
    }
    if (!Sha256.of(head.slice(0, SEALED)).equals(seal)) {
      throw new DamagedObjectException(key, "has a head whose own SHA-256 does not fit");
    }
    int version = head.getInt(8);
    if (version != VERSION) {
      throw new DamagedObjectException(
          key, "has version %d of digests, readable is %d".formatted(version, VERSION));
    }
    long diskSize = head.getLong(16);
    long bodyLength = head.getLong(24);
    if (diskSize < 0 || diskSize > Long.MAX_VALUE - OverlaySpec.MAX_CLUSTER) {
      throw new DamagedObjectException(key, "is of a disk of %d bytes".formatted(diskSize));
    }
    if (bodyLength < 0 || bodyLength != object - LENGTH) {
      throw new DamagedObjectException(
          key,
          "says it has %d bytes behind its head, found %d".formatted(bodyLength, object - LENGTH));
    }
    Sha256 body = new Sha256(Bytes.copyOf(bytes(head, 32, 32)));
    List<String> parts = parts(key, head.slice(64, SEALED - 64));
    return new DigestsHead(
        parts.get(0),
        parts.get(1),
        parts.get(2),
        parts.get(3),
        upon(key, parts.get(4)),
        diskSize,
        bodyLength,
        body);
  }

  private static byte[] bytes(ByteBuffer from, int at, int length) {
    byte[] bytes = new byte[length];
    from.get(at, bytes);
    return bytes;
  }

  private static List<String> parts(ObjectKey key, ByteBuffer from) throws DamagedObjectException {
    List<String> parts = new ArrayList<>();
    for (int i = 0; i < PARTS; i++) {
      int length = Short.toUnsignedInt(from.getShort());
      if (length > MAX_PART) {
        throw new DamagedObjectException(
            key, "names something in %d bytes, allowed are %d".formatted(length, MAX_PART));
      }
      parts.add(StandardCharsets.UTF_8.decode(from.slice(from.position(), length)).toString());
      from.position(from.position() + length);
    }
    return parts;
  }

  private static Optional<PointId> upon(ObjectKey key, String text) throws DamagedObjectException {
    try {
      return text.isEmpty() ? Optional.empty() : Optional.of(new PointId(text));
    } catch (IllegalArgumentException e) {
      throw new DamagedObjectException(key, "lies upon no point: " + e.getMessage());
    }
  }
}
