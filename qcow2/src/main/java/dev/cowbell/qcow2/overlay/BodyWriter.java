package dev.cowbell.qcow2.overlay;

import dev.cowbell.qcow2.format.Geometry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Appends to an overlay's body, and keeps count and digests of what went by. */
final class BodyWriter {
  private static final int ZEROES = 64 << 10;

  private final OverlaySink sink;
  private final Geometry geometry;
  private final MessageDigest digest = Sha256.start();
  private final List<Seal> seals = new ArrayList<>();
  private final ByteBuffer zeroes = ByteBuffer.allocateDirect(ZEROES).asReadOnlyBuffer();
  private long position;
  private boolean unseen;

  /** Starts behind a head of one cluster. */
  BodyWriter(OverlaySink sink, Geometry geometry) {
    this.sink = sink;
    this.geometry = geometry;
    this.position = geometry.clusterSize();
  }

  /** The object offset of the next byte. */
  long position() {
    return position;
  }

  /** The number of the cluster that the next byte is in; at its start, if aligned. */
  long cluster() {
    return position >>> geometry.clusterBits();
  }

  void append(ByteBuffer bytes) throws IOException {
    int length = bytes.remaining();
    digest.update(bytes.duplicate());
    sink.append(bytes);
    position += length;
  }

  /** Appends a block of metadata with a seal. */
  void appendSealed(Seal.Kind kind, ByteBuffer block) throws IOException {
    seals.add(new Seal(position, block.remaining(), kind, Sha256.of(block)));
    append(block);
  }

  void appendZeroes(long count) throws IOException {
    for (long left = count; left > 0; left -= ZEROES) {
      append(zeroes.duplicate().limit((int) Math.min(left, ZEROES)));
    }
  }

  /** Appends zeroes up to the next cluster's start. */
  void align() throws IOException {
    appendZeroes(-position & (geometry.clusterSize() - 1));
  }

  /** The seals so far, in ascending order. */
  List<Seal> seals() {
    return seals;
  }

  /** The sink itself has appended so many bytes, which nobody here has seen. */
  void appendedUnseen(long length) {
    position += length;
    unseen |= length > 0;
  }

  /**
   * Ends the body.
   *
   * @return its digest; empty if some of it was not seen
   */
  Optional<Sha256> finish() {
    Sha256 seen = Sha256.finish(digest);
    return unseen ? Optional.empty() : Optional.of(seen);
  }
}
