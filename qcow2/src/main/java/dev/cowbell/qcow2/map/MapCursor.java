package dev.cowbell.qcow2.map;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.format.CompressedDescriptor;
import dev.cowbell.qcow2.format.Geometry;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.format.L2Rules;
import dev.cowbell.qcow2.format.Mapping;
import java.io.IOException;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Walks a guest range run by run, each as long as it can be: neighbours differ in kind, or do not
 * follow each other in the host file, or are compressed clusters. Allocates nothing per cluster.
 * For one thread.
 */
public final class MapCursor {
  /** The host offset of a run that has no place in a host file. */
  public static final long NOWHERE = -1;

  /** What a run is; see {@link Mapping}. */
  public enum Kind {
    DATA,
    ZERO,
    COMPRESSED,
    UNALLOCATED
  }

  private static final long ALL_ALLOCATED = 0xffff_ffffL;
  private static final long ALL_ZERO = ALL_ALLOCATED << 32;

  private final ClusterMap map;
  private final L2Rules rules;
  private final Geometry geometry;
  private final long end;
  private long next;

  private Kind kind = Kind.UNALLOCATED;
  private long offset;
  private long length;
  private long hostOffset = NOWHERE;
  private int packedLength;

  /** The L2 table of the last look-up. */
  private long tableIndex = -1;

  private @Nullable L2Table table;

  /** The piece last looked at: inside one cluster, or a whole stretch without L2 tables. */
  private @Nullable Kind pieceKind;

  private long pieceLength;
  private long pieceHost;

  MapCursor(ClusterMap map, long at, long end) {
    this.map = map;
    this.rules = map.rules();
    this.geometry = map.geometry();
    this.next = at;
    this.end = end;
  }

  /**
   * Goes to the next run; false when the range is done.
   *
   * @throws CorruptImageException if the next run begins at an entry that can't be read
   */
  public boolean next() throws IOException {
    if (next >= end) {
      length = 0;
      return false;
    }
    offset = next;
    look(next);
    if (pieceKind == null) {
      throw broken();
    }
    kind = pieceKind;
    hostOffset = pieceHost;
    next += pieceLength;
    if (kind == Kind.COMPRESSED) {
      packedLength = CompressedDescriptor.length(word(), geometry);
    } else {
      extend();
    }
    length = Math.min(next, end) - offset;
    return true;
  }

  /** The first guest byte of the run. */
  public long offset() {
    return offset;
  }

  /** The bytes of the run. */
  public long length() {
    return length;
  }

  public Kind kind() {
    return kind;
  }

  /**
   * Where the run's first byte lies in the host file, {@link #NOWHERE} if nowhere. For a compressed
   * run: where the packed bytes of its whole cluster start. A zero or unallocated run may have a
   * place, too.
   */
  public long hostOffset() {
    return hostOffset;
  }

  /** The bytes to read for a compressed run. */
  public int packedLength() {
    return packedLength;
  }

  /** The run as a value. */
  public MappedRun run() {
    OptionalLong host = hostOffset == NOWHERE ? OptionalLong.empty() : OptionalLong.of(hostOffset);
    Mapping mapping =
        switch (kind) {
          case DATA -> new Mapping.Data(hostOffset);
          case ZERO -> new Mapping.Zero(host);
          case COMPRESSED -> new Mapping.Compressed(hostOffset, packedLength);
          case UNALLOCATED -> new Mapping.Unallocated(host);
        };
    return new MappedRun(offset, length, mapping);
  }

  private void extend() throws IOException {
    while (next < end) {
      if (geometry.isClusterAligned(next)) {
        skipAlike();
        if (next >= end) {
          return;
        }
      }
      look(next);
      long expected = hostOffset == NOWHERE ? NOWHERE : hostOffset + (next - offset);
      if (pieceKind != kind || pieceHost != expected) {
        return;
      }
      next += pieceLength;
    }
  }

  /**
   * Steps over the entries of the present L2 table that go on exactly as the last one did; those
   * need no second look. Only where the last entry says one thing of its whole cluster.
   */
  private void skipAlike() {
    L2Table present = table;
    int index = geometry.l2Index(next);
    if (present == null || index == 0 || rules.dataFile()) {
      return;
    }
    long bitmap = present.bitmap(index - 1);
    if (geometry.extendedL2() && bitmap != 0 && bitmap != ALL_ALLOCATED && bitmap != ALL_ZERO) {
      return;
    }
    long word = L2Entry.withoutCopied(present.word(index - 1));
    long step = L2Entry.offset(word) == 0 ? 0 : geometry.clusterSize();
    int limit = (int) Math.min(geometry.l2Entries(), index + geometry.clustersFor(end - next));
    int at = index;
    while (at < limit) {
      word += step;
      if (L2Entry.withoutCopied(present.word(at)) != word || present.bitmap(at) != bitmap) {
        break;
      }
      at++;
    }
    next += (long) (at - index) << geometry.clusterBits();
  }

  /** Finds out about the piece at a guest offset; a null kind stands for a broken entry. */
  private void look(long at) throws IOException {
    long l1Index = geometry.l1Index(at);
    if (l1Index != tableIndex) {
      table = map.table(l1Index);
      tableIndex = l1Index;
    }
    L2Table present = table;
    if (present == null) {
      long limit = geometry.l1Index(end - 1) + 1;
      long used = map.l1().nextUsed(l1Index, limit);
      pieceKind = Kind.UNALLOCATED;
      pieceHost = NOWHERE;
      pieceLength = (used == limit ? end : used * geometry.l2Coverage()) - at;
      return;
    }
    int index = geometry.l2Index(at);
    lookAtEntry(at, present.word(index), present.bitmap(index));
  }

  private void lookAtEntry(long at, long word, long bitmap) {
    int within = geometry.offsetInCluster(at);
    if (!rules.allows(word, bitmap, at - within)) {
      pieceKind = null;
      return;
    }
    pieceLength = (long) geometry.clusterSize() - within;
    if (L2Entry.isCompressed(word)) {
      pieceKind = Kind.COMPRESSED;
      pieceHost = CompressedDescriptor.hostOffset(word, geometry);
      return;
    }
    boolean present = rules.holdsCluster(word);
    pieceHost = present ? L2Entry.offset(word) + within : NOWHERE;
    if (geometry.extendedL2()) {
      lookAtSubclusters(bitmap, within);
    } else if (L2Entry.isZero(word)) {
      pieceKind = Kind.ZERO;
    } else {
      pieceKind = present ? Kind.DATA : Kind.UNALLOCATED;
    }
  }

  private void lookAtSubclusters(long bitmap, int within) {
    int size = geometry.subclusterSize();
    int first = within / size;
    int allocated = L2Entry.allocatedSubclusters(bitmap) >>> first;
    int zero = L2Entry.zeroSubclusters(bitmap) >>> first;
    int run;
    if ((allocated & 1) != 0) {
      pieceKind = Kind.DATA;
      run = Integer.numberOfTrailingZeros(~allocated);
    } else if ((zero & 1) != 0) {
      pieceKind = Kind.ZERO;
      run = Integer.numberOfTrailingZeros(~zero);
    } else {
      pieceKind = Kind.UNALLOCATED;
      run = Integer.numberOfTrailingZeros(allocated | zero);
    }
    int last = Math.min(Geometry.EXTENDED_L2_SUBCLUSTERS, first + run);
    pieceLength = (long) last * size - within;
  }

  private long word() {
    L2Table present = table;
    return present == null ? 0 : present.word(geometry.l2Index(offset));
  }

  private ImageException broken() {
    L2Table present = table;
    long cluster = offset - geometry.offsetInCluster(offset);
    long bitmap = present == null ? 0 : present.bitmap(geometry.l2Index(offset));
    return rules.broken(word(), bitmap, cluster).in(map.fileName());
  }
}
