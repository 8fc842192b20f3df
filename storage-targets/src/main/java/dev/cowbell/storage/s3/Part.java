package dev.cowbell.storage.s3;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;

/** A part of an upload while it is held in memory. */
final class Part {

  private final PartMemory memory;
  private final List<byte[]> pieces = new ArrayList<>();
  private long length;

  Part(PartMemory memory) {
    this.memory = memory;
  }

  long length() {
    return length;
  }

  /** Takes up to {@code most} bytes from {@code src}, waiting for memory. */
  void append(ByteBuffer src, long most) throws InterruptedException {
    for (long left = Math.min(most, src.remaining()); left > 0; ) {
      int at = Math.toIntExact(length % PartMemory.PIECE);
      if (at == 0) {
        pieces.add(memory.take());
      }
      int n = Math.toIntExact(Math.min(left, PartMemory.PIECE - at));
      src.get(pieces.getLast(), at, n);
      length += n;
      left -= n;
    }
  }

  /** Leaves room for {@code n} bytes that {@link #fillFront} brings. */
  void reserve(int n) throws InterruptedException {
    append(ByteBuffer.allocate(n), n);
  }

  /** Replaces the first bytes. */
  void fillFront(ByteBuffer src) {
    ByteBuffer rest = src.duplicate();
    for (int i = 0; rest.hasRemaining(); i++) {
      rest.get(pieces.get(i), 0, Math.min(rest.remaining(), PartMemory.PIECE));
    }
  }

  WatchedBody body() {
    return new WatchedBody(this::stream, length);
  }

  /** What S3 calls Content-MD5. */
  String md5() {
    MessageDigest md5 = md5Digest();
    for (int i = 0; i < pieces.size(); i++) {
      md5.update(pieces.get(i), 0, lengthOf(i));
    }
    return Base64.getEncoder().encodeToString(md5.digest());
  }

  static MessageDigest md5Digest() {
    try {
      return MessageDigest.getInstance("MD5");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has MD5", e);
    }
  }

  /** All bytes in one buffer, for a part that turns out to be the whole object. */
  ByteBuffer joined() {
    ByteBuffer joined = ByteBuffer.allocate(Math.toIntExact(length));
    for (int i = 0; i < pieces.size(); i++) {
      joined.put(pieces.get(i), 0, lengthOf(i));
    }
    return joined.flip();
  }

  /** Gives the memory back; the part is empty then. */
  void release() {
    pieces.forEach(memory::giveBack);
    pieces.clear();
    length = 0;
  }

  private InputStream stream() {
    List<InputStream> streams = new ArrayList<>();
    for (int i = 0; i < pieces.size(); i++) {
      streams.add(new ByteArrayInputStream(pieces.get(i), 0, lengthOf(i)));
    }
    return new SequenceInputStream(Collections.enumeration(streams));
  }

  private int lengthOf(int piece) {
    return Math.toIntExact(Math.min(PartMemory.PIECE, length - (long) piece * PartMemory.PIECE));
  }
}
