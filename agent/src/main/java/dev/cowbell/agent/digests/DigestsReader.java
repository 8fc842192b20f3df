package dev.cowbell.agent.digests;

import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.DiskChain.Link;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.overlay.ContentDigest;
import dev.cowbell.qcow2.overlay.OverlaySpec;
import dev.cowbell.qcow2.overlay.Sha256;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectNotFoundException;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Reads a digests object front to back, in constant memory. What was read can be relied upon when
 * the end has been reached: only then is the seal of the body known to fit.
 */
final class DigestsReader implements DigestRuns {

  private static final int BUFFER = 256 << 10;

  private final ObjectStore store;
  private final ObjectInfo object;
  private final DigestsHead head;
  private final MessageDigest seal;
  private final ByteBuffer buffer;
  private long nextRead = DigestsHead.LENGTH;
  private long lastEnd;
  private boolean ended;

  private DigestsReader(ObjectStore store, ObjectInfo object, DigestsHead head) {
    this.store = store;
    this.object = object;
    this.head = head;
    this.buffer = ByteBuffer.allocate((int) Math.min(BUFFER, head.bodyLength())).flip();
    try {
      this.seal = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  /**
   * Opens the digests of a point's disk.
   *
   * @param repository whose they have to be
   * @param link the point, and what its manifest says of the disk
   * @throws DamagedObjectException if they are missing, damaged, of something else, or don't fit
   *     the overlay any more
   */
  static DigestsReader open(ObjectStore store, UUID repository, VmName vm, DiskName disk, Link link)
      throws IOException {
    ObjectKey key = Layout.digests(vm, disk, link.point());
    Optional<ObjectInfo> object = store.stat(key);
    if (object.isEmpty()) {
      throw new DamagedObjectException(key, "is missing");
    }
    if (object.get().size() < DigestsHead.LENGTH) {
      throw new DamagedObjectException(
          key,
          "is %d bytes long; digests have at least %d"
              .formatted(object.get().size(), DigestsHead.LENGTH));
    }
    ByteBuffer bytes = ByteBuffer.allocate(DigestsHead.LENGTH);
    read(store, object.get(), 0, bytes);
    DigestsHead head = DigestsHead.decode(key, object.get().size(), bytes.clear());
    check(key, head, new Origin(repository, vm, disk, link));
    return new DigestsReader(store, object.get(), head);
  }

  /** What digests have to describe. */
  private record Origin(UUID repository, VmName vm, DiskName disk, Link link) {

    boolean is(DigestsHead head) {
      return head.repository().equals(repository.toString())
          && head.vm().equals(vm.value())
          && head.disk().equals(disk.value())
          && head.point().equals(link.point().value())
          && head.diskSize() == link.record().virtualSize();
    }
  }

  private static void check(ObjectKey key, DigestsHead head, Origin origin)
      throws DamagedObjectException {
    if (!origin.is(head)) {
      throw new DamagedObjectException(
          key,
          "describes disk %s of %d bytes of VM %s at point %s in repository %s"
              .formatted(head.disk(), head.diskSize(), head.vm(), head.point(), head.repository()));
    }
    // a point's ancestors are older than it, and digests lie only upon ancestors: so what lies upon
    // the parent or an older point says all that the overlay changed
    Optional<PointId> below = origin.link().record().parent();
    boolean reaches =
        head.upon().isEmpty()
            || (below.isPresent() && head.upon().get().compareTo(below.get()) <= 0);
    if (!reaches) {
      throw new DamagedObjectException(
          key,
          "describes what lies upon point %s, but the overlay lies upon %s"
              .formatted(head.upon().get(), below.map(PointId::value).orElse("nothing")));
    }
  }

  private static void read(ObjectStore store, ObjectInfo object, long at, ByteBuffer to)
      throws IOException {
    try {
      store.read(object.key(), at, to, Optional.of(object.etag()));
    } catch (ObjectNotFoundException e) {
      throw new DamagedObjectException(object.key(), "is missing");
    }
  }

  DigestsHead head() {
    return head;
  }

  ObjectInfo object() {
    return object;
  }

  @Override
  public @Nullable DigestRun next() throws IOException {
    if (ended) {
      return null;
    }
    if (!buffer.hasRemaining() && nextRead == object.size()) {
      ended = true;
      Sha256 found = new Sha256(Bytes.copyOf(seal.digest()));
      if (!found.equals(head.bodyDigest())) {
        throw damaged(
            "the SHA-256 of all behind the head is %s instead of %s"
                .formatted(found, head.bodyDigest()));
      }
      return null;
    }
    ByteBuffer fields = take(DigestsWriter.RUN_HEADER);
    long start = fields.getLong();
    long count = Integer.toUnsignedLong(fields.getInt());
    Optional<DigestRun.Kind> kind = DigestRun.Kind.of(fields.get());
    int bits = fields.get();
    if (kind.isEmpty()
        || bits < Integer.numberOfTrailingZeros(ContentDigest.MIN_UNIT)
        || bits > Integer.numberOfTrailingZeros(ContentDigest.MAX_UNIT)
        || fields.getShort() != 0) {
      throw damaged(
          "a run at %d is of no known kind, or has units of 2^%d bytes".formatted(start, bits));
    }
    return run(start, count, kind.get(), 1 << bits);
  }

  private DigestRun run(long start, long count, DigestRun.Kind kind, int unit) throws IOException {
    // the last cluster of an overlay may go on behind the disk's end
    long limit = (head.diskSize() + OverlaySpec.MAX_CLUSTER - 1) & -OverlaySpec.MAX_CLUSTER;
    if (start < lastEnd
        || start % unit != 0
        || count == 0
        || start >= limit
        || count > (limit - start) / unit) {
      throw damaged(
          "a run of %d units of %d bytes at %d, expected within %d to %d"
              .formatted(count, unit, start, lastEnd, head.diskSize()));
    }
    lastEnd = start + count * unit;
    if (kind != DigestRun.Kind.DATA) {
      return new DigestRun(start, lastEnd, kind, unit, ByteBuffer.allocate(0));
    }
    if (count > DigestsWriter.MAX_RUN_DIGESTS / ContentDigest.LENGTH) {
      throw damaged(
          "a run of %d digests, allowed are %d"
              .formatted(count, DigestsWriter.MAX_RUN_DIGESTS / ContentDigest.LENGTH));
    }
    return new DigestRun(start, lastEnd, kind, unit, take((int) count * ContentDigest.LENGTH));
  }

  /** The next bytes of the body, in a buffer of their own. */
  private ByteBuffer take(int length) throws IOException {
    ByteBuffer taken = ByteBuffer.allocate(length);
    while (taken.hasRemaining()) {
      if (!buffer.hasRemaining()) {
        fill();
      }
      int part = Math.min(taken.remaining(), buffer.remaining());
      taken.put(buffer.slice(buffer.position(), part));
      buffer.position(buffer.position() + part);
    }
    return taken.flip();
  }

  private void fill() throws IOException {
    int length = (int) Math.min(buffer.capacity(), object.size() - nextRead);
    if (length == 0) {
      throw damaged("ends inside a run");
    }
    buffer.clear().limit(length);
    read(store, object, nextRead, buffer);
    nextRead += length;
    buffer.flip();
    seal.update(buffer.duplicate());
  }

  private DamagedObjectException damaged(String problem) {
    return new DamagedObjectException(object.key(), problem);
  }
}
