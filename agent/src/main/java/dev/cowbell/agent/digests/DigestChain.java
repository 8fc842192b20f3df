package dev.cowbell.agent.digests;

import dev.cowbell.agent.repository.DamagedObjectException;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.Layout;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a disk at a point: the runs of its chain's digests, the newest counting where
 * several know something. Covers the disk without gaps. Memory grows with the chain's length only.
 */
public final class DigestChain implements DigestRuns {

  private final List<Layer> layers;
  private final long size;
  private final DigestRun.Kind untold;
  private long at;

  /** One object of the chain, at the run that ends behind what was handed out. */
  private static final class Layer {
    private final DigestRuns runs;
    private @Nullable DigestRun run;

    Layer(DigestRuns runs) throws IOException {
      this.runs = runs;
      this.run = runs.next();
    }

    @Nullable DigestRun runAt(long at) throws IOException {
      while (run != null && run.end() <= at) {
        run = runs.next();
      }
      return run;
    }
  }

  /**
   * @param newestFirst what objects know
   * @param size up to where runs are wanted, in bytes
   * @param untold what is handed out where none knows anything: zero or absent
   */
  DigestChain(List<? extends DigestRuns> newestFirst, long size, DigestRun.Kind untold)
      throws IOException {
    this.untold = untold;
    layers = new ArrayList<>();
    for (DigestRuns runs : newestFirst) {
      layers.add(new Layer(runs));
    }
    this.size = size;
  }

  /**
   * Opens the digests of a chain.
   *
   * @param repository whose they have to be
   * @throws DamagedObjectException if an overlay has none, or some can't be used
   */
  public static DigestChain open(ObjectStore store, UUID repository, DiskChain chain)
      throws IOException {
    List<DigestsReader> readers = new ArrayList<>();
    for (DiskChain.Link link : chain.links()) {
      if (link.record().digests().isEmpty()) {
        throw new DamagedObjectException(
            Layout.digests(chain.vm(), chain.disk(), link.point()), "was never written");
      }
      readers.add(DigestsReader.open(store, repository, chain.vm(), chain.disk(), link));
    }
    return new DigestChain(readers, chain.top().record().virtualSize(), DigestRun.Kind.ZERO);
  }

  /** The disk's size at the point, in bytes. */
  public long size() {
    return size;
  }

  /**
   * The next run; it begins where the last one ended.
   *
   * @throws DamagedObjectException if an object turns out to be damaged; behind the last run, none
   *     is
   */
  @Override
  public @Nullable DigestRun next() throws IOException {
    if (at >= size) {
      drain();
      return null;
    }
    long limit = size;
    for (Layer layer : layers) {
      DigestRun run = layer.runAt(at);
      if (run == null) {
        continue;
      }
      if (run.start() <= at) {
        return handOut(run, limit);
      }
      limit = Math.min(limit, run.start());
    }
    return handOut(
        untold == DigestRun.Kind.ZERO ? DigestRun.zero(at, limit) : DigestRun.absent(at, limit),
        limit);
  }

  /** Hands out what of a run is seen between here and a limit; of digests, those of whole units. */
  private DigestRun handOut(DigestRun run, long limit) {
    DigestRun seen;
    if (run.kind() != DigestRun.Kind.DATA) {
      seen = run.part(at, Math.min(run.end(), limit));
    } else {
      int unit = run.unit();
      long whole = limit == size ? run.end() : limit & -unit;
      long end = Math.min(run.end(), whole);
      if ((at & (unit - 1)) != 0) {
        seen = DigestRun.unknown(at, Math.min(limit, (at | (unit - 1)) + 1));
      } else if (end <= at) {
        seen = DigestRun.unknown(at, limit);
      } else {
        seen = run.part(at, end);
      }
    }
    at = seen.end();
    return seen;
  }

  /** Reads what lies behind the disk's end, too: objects are vouched for at their ends. */
  private void drain() throws IOException {
    for (Layer layer : layers) {
      layer.runAt(Long.MAX_VALUE);
    }
  }
}
