package dev.cowbell.agent.digests;

import dev.cowbell.qcow2.overlay.ContentDigest;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;

/**
 * What is known of a run of guest bytes.
 *
 * @param start the first byte
 * @param end the byte behind the last one; may lie behind the disk's end, by less than a unit
 * @param kind what is known
 * @param unit the bytes that each digest stands for; {@code start} and {@code end} are multiples of
 *     it if there are digests
 * @param digests one for each unit, from the buffer's start to its limit; none for other kinds
 */
record DigestRun(long start, long end, Kind kind, int unit, ByteBuffer digests) {

  /** What is known of a run. */
  enum Kind {
    /** It has digests. */
    DATA(1),
    /** It is zero. */
    ZERO(2),
    /** Nothing: it counts as changed. */
    UNKNOWN(3),
    /** It is as in the point below. Never stored. */
    ABSENT(0);

    private final int code;

    Kind(int code) {
      this.code = code;
    }

    /** What stands for it in an object. */
    int code() {
      return code;
    }

    /** The kind of a code; empty if there is none. */
    static Optional<Kind> of(int code) {
      return Arrays.stream(values())
          .filter(kind -> kind != ABSENT && kind.code == code)
          .findFirst();
    }
  }

  private static final ByteBuffer NONE = ByteBuffer.allocate(0);

  static DigestRun zero(long start, long end) {
    return new DigestRun(start, end, Kind.ZERO, ContentDigest.MIN_UNIT, NONE);
  }

  static DigestRun unknown(long start, long end) {
    return new DigestRun(start, end, Kind.UNKNOWN, ContentDigest.MIN_UNIT, NONE);
  }

  static DigestRun absent(long start, long end) {
    return new DigestRun(start, end, Kind.ABSENT, ContentDigest.MIN_UNIT, NONE);
  }

  /** A part of it; of data, whole units. */
  DigestRun part(long from, long to) {
    if (kind != Kind.DATA) {
      return new DigestRun(from, to, kind, unit, NONE);
    }
    int first = (int) ((from - start) / unit) * ContentDigest.LENGTH;
    int count = (int) ((to - from) / unit) * ContentDigest.LENGTH;
    return new DigestRun(from, to, kind, unit, digests.slice(first, count));
  }
}
