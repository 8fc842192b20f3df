package dev.cowbell.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Lets writers race for one object and counts the winners.
 *
 * @param created how many of the racers created the absent object
 * @param replaced how many of the racers replaced the same version
 * @param refusedStale whether a write over a version that is gone was refused
 * @param kept whether the object read as what its last winner wrote
 */
public record ConditionalPutTrial(int created, int replaced, boolean refusedStale, boolean kept) {

  private static final int RACERS = 8;

  /** Races on a store, which must not look before it writes: that would hide what is tried. */
  public static ConditionalPutTrial run(ObjectStore store) throws IOException {
    ObjectKey key = new ObjectKey(probePrefix() + "/conditional-put");
    try {
      List<ObjectInfo> creators = race(store, key, "create", Precondition.IF_ABSENT);
      ETag first = store.get(key, 1024).info().etag();
      List<ObjectInfo> replacers = race(store, key, "replace", Precondition.ifMatch(first));
      StoredObject last = store.get(key, 1024);
      boolean kept = replacers.stream().anyMatch(w -> w.etag().equals(last.info().etag()));
      boolean refused =
          race(store, key, "stale", Precondition.ifMatch(first)).isEmpty()
              && store.get(key, 1024).body().equals(last.body());
      return new ConditionalPutTrial(creators.size(), replacers.size(), refused, kept);
    } finally {
      store.delete(List.of(key));
    }
  }

  /** A key prefix that nobody else uses. */
  public static String probePrefix() {
    return "cowbell-probe-" + HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
  }

  /** Whether conditions hold among racers. */
  public boolean holds() {
    return created == 1 && replaced == 1 && refusedStale && kept;
  }

  /** What was seen, for people. */
  public StoreProbe.Finding finding() {
    String seen =
        "%d of %d racing writers created an object, %d replaced the same version, a stale write was %s"
            .formatted(created, RACERS, replaced, refusedStale ? "refused" : "not refused");
    String follows =
        holds() ? "" : "; only one writer per machine may use this repository at a time";
    return new StoreProbe.Finding("conditional put", holds(), seen + follows);
  }

  private static List<ObjectInfo> race(
      ObjectStore store, ObjectKey key, String what, Precondition precondition) throws IOException {
    CountDownLatch start = new CountDownLatch(1);
    List<Future<ObjectInfo>> racers = new ArrayList<>();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 0; i < RACERS; i++) {
        byte[] body = (what + " " + i).getBytes(StandardCharsets.US_ASCII);
        racers.add(
            threads.submit(() -> {
              start.await();
              return store.put(key, ByteBuffer.wrap(body), precondition);
            }));
      }
      start.countDown();
    }
    List<ObjectInfo> winners = new ArrayList<>();
    for (Future<ObjectInfo> racer : racers) {
      switch (racer.state()) {
        case SUCCESS -> winners.add(racer.resultNow());
        default -> {
          Throwable failure = racer.exceptionNow();
          if (failure instanceof IOException e && !(e instanceof PreconditionFailedException)) {
            throw e;
          }
          if (!(failure instanceof IOException)) {
            throw new IllegalStateException(failure);
          }
        }
      }
    }
    return winners;
  }
}
