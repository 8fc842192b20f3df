package dev.cowbell.it.storage;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectUpload;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoredObject;
import dev.cowbell.storage.directory.DirectoryStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.Random;

/** A process of its own that writes to a directory store until it is told otherwise, or killed. */
final class DirectoryWriter {

  static final ObjectKey KEY = new ObjectKey("vms/web/disks/root/point.qcow2");
  static final ObjectKey COUNTER = new ObjectKey("vms/web/counter");
  static final int HEAD = 4096;
  static final int TURNS = 150;

  private DirectoryWriter() {}

  /** Does what the first argument says to the store that the second names. */
  public static void main(String[] arguments) throws IOException {
    try (ObjectStore store = DirectoryStore.open(Path.of(arguments[1]), InstantSource.system())) {
      switch (arguments[0]) {
        case "replace" -> replaceForEver(store);
        case "create" -> createAll(store);
        case "count" -> count(store);
        case "overfill" -> overfill(store);
        case "write" -> write(store);
        default -> throw new IllegalArgumentException(arguments[0]);
      }
    }
  }

  /** The object's bytes in a generation: the generation's number, then what follows from it. */
  static byte[] generation(long number) {
    byte[] bytes = new byte[300_000];
    new Random(number).nextBytes(bytes);
    ByteBuffer.wrap(bytes).putLong(number);
    return bytes;
  }

  private static void replaceForEver(ObjectStore store) throws IOException {
    for (long number = 1; ; number++) {
      byte[] bytes = generation(number);
      try (ObjectUpload upload = store.begin(KEY, HEAD, Precondition.NONE)) {
        upload.append(ByteBuffer.wrap(bytes, HEAD, bytes.length - HEAD));
        upload.commit(ByteBuffer.wrap(bytes, 0, HEAD));
      }
      say(Long.toString(number));
    }
  }

  private static void createAll(ObjectStore store) throws IOException {
    say("ready");
    awaitGo();
    int won = 0;
    for (int i = 0; i < TURNS; i++) {
      try {
        store.put(
            new ObjectKey("race/" + i), ByteBuffer.allocate(1 + i % 7), Precondition.IF_ABSENT);
        won++;
      } catch (PreconditionFailedException e) {
        // The other one was faster.
      }
    }
    say(Integer.toString(won));
  }

  private static void count(ObjectStore store) throws IOException {
    say("ready");
    awaitGo();
    for (int done = 0; done < TURNS; ) {
      StoredObject present = store.get(COUNTER, 100);
      ETag etag = present.info().etag();
      // Of equal length throughout: the time alone tells versions apart.
      long next = 1 + Long.parseLong(StandardCharsets.US_ASCII.decode(present.body()).toString());
      try {
        store.put(COUNTER, number(next), Precondition.ifMatch(etag));
        done++;
      } catch (PreconditionFailedException e) {
        // The other one was faster; count on from there.
      }
    }
    say("done");
  }

  static ByteBuffer number(long number) {
    return ByteBuffer.wrap("%08d".formatted(number).getBytes(StandardCharsets.US_ASCII));
  }

  /** Writes more than there is room for, and says what came of it. */
  private static void overfill(ObjectStore store) throws IOException {
    store.put(KEY, ByteBuffer.wrap(generation(1)), Precondition.NONE);
    try (ObjectUpload upload = store.begin(KEY, HEAD, Precondition.NONE)) {
      for (int i = 0; i < 64; i++) {
        upload.append(ByteBuffer.allocate(1 << 20));
      }
      upload.commit(ByteBuffer.allocate(HEAD));
    } catch (StoreException e) {
      say(e.getClass().getSimpleName() + ": " + e.getMessage());
    }
    boolean kept = store.get(KEY, 1 << 20).body().equals(ByteBuffer.wrap(generation(1)));
    say(kept ? "kept" : "lost");
    store.put(KEY, ByteBuffer.wrap(generation(2)), Precondition.NONE);
    store.delete(List.of(KEY));
    say("works again");
  }

  private static void write(ObjectStore store) throws IOException {
    try {
      store.put(KEY, ByteBuffer.wrap(generation(1)), Precondition.NONE);
      say("written");
    } catch (StoreException e) {
      say(e.getClass().getSimpleName() + ": " + e.getMessage());
    }
  }

  private static void say(String word) {
    System.out.println(word);
    System.out.flush();
  }

  private static void awaitGo() throws IOException {
    if (System.in.read() < 0) {
      throw new IOException("the test is gone");
    }
  }
}
