package dev.cowbell.agent.repository;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.Precondition;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Optional;

/**
 * How far a job has come in verifying a VM's points, kept in the repository so that any agent can
 * go on. It is no promise about points: without it, more is read again, nothing else.
 */
public final class VerifiedRecord {

  private static final int MAX_SIZE = 64 << 10;
  private static final int MAX_TEXT = 256;

  private VerifiedRecord() {}

  /**
   * Until when everything that came due was read and found well.
   *
   * @param job the job's name
   * @return empty if nobody wrote it down
   * @throws DamagedObjectException if what stands there can't be trusted
   */
  public static Optional<Instant> read(ObjectStore store, VmName vm, String job)
      throws IOException {
    ObjectKey key = Layout.verified(vm, job);
    if (store.stat(key).isEmpty()) {
      return Optional.empty();
    }
    ByteBuffer body = store.get(key, MAX_SIZE).body();
    byte[] document = new byte[body.remaining()];
    body.get(document);
    JsonFields fields = DocumentFormat.read(key, document);
    return Optional.of(fields.value("until", MAX_TEXT, Instant::parse));
  }

  /** Writes it down; the last writer wins. */
  public static void write(ObjectStore store, VmName vm, String job, Instant until)
      throws IOException {
    ObjectNode json = DocumentFormat.begin(DocumentFormat.BASIC).put("until", until.toString());
    store.put(Layout.verified(vm, job), ByteBuffer.wrap(SealedJson.seal(json)), Precondition.NONE);
  }
}
