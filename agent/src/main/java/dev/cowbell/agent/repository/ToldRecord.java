package dev.cowbell.agent.repository;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.StoredObject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Optional;

/**
 * What people were told last of something that is well or not. It is no promise about points:
 * without it, something may be told twice, or a recovery not at all.
 *
 * @param well whether it is well
 * @param since since when
 * @param claimedUntil until when somebody is about to tell that it is not well; empty when it was
 *     told
 */
public record ToldRecord(boolean well, Instant since, Optional<Instant> claimedUntil) {

  private static final int MAX_TEXT = 64;

  /** All is well. */
  public static ToldRecord well(Instant since) {
    return new ToldRecord(true, since, Optional.empty());
  }

  /** It is not well, and people know. */
  public static ToldRecord bad(Instant since) {
    return new ToldRecord(false, since, Optional.empty());
  }

  /** It is not well, and somebody is about to tell. */
  public static ToldRecord claimed(Instant since, Instant until) {
    return new ToldRecord(false, since, Optional.of(until));
  }

  /** Whether whoever was about to tell had the time to. */
  public boolean mayBeClaimed(Instant now) {
    return claimedUntil.isPresent() && !now.isBefore(claimedUntil.get());
  }

  /**
   * A record with the version of it that was read.
   *
   * @param etag of the object it was read from
   */
  public record Stored(ToldRecord record, ETag etag) {}

  /**
   * Reads what was told. What can't be trusted counts as well: it is told again, and written anew.
   *
   * @param name of what it is about, 1 to 140 characters of A-Z a-z 0-9 . _ -
   * @return empty if nobody wrote it down
   */
  public static Optional<Stored> read(ObjectStore store, VmName vm, String name)
      throws IOException {
    ObjectKey key = Layout.told(vm, name);
    Optional<StoredObject> document = Repository.document(store, key);
    if (document.isEmpty()) {
      return Optional.empty();
    }
    ToldRecord record;
    try {
      record = decode(DocumentFormat.read(key, Repository.bytes(document.get())));
    } catch (DamagedObjectException _) {
      record = well(Instant.EPOCH);
    }
    return Optional.of(new Stored(record, document.get().info().etag()));
  }

  private static ToldRecord decode(JsonFields fields) throws DamagedObjectException {
    return new ToldRecord(
        fields.truth("well"),
        fields.value("since", MAX_TEXT, Instant::parse),
        fields.has("claimedUntil")
            ? Optional.of(fields.value("claimedUntil", MAX_TEXT, Instant::parse))
            : Optional.empty());
  }

  /**
   * Writes over the version that was read, or where there was none.
   *
   * @return false if something else stands there now; then nothing was written
   */
  public boolean write(ObjectStore store, VmName vm, String name, Optional<ETag> before)
      throws IOException {
    ObjectNode json =
        DocumentFormat.begin(DocumentFormat.BASIC).put("well", well).put("since", since.toString());
    claimedUntil.ifPresent(until -> json.put("claimedUntil", until.toString()));
    try {
      store.put(
          Layout.told(vm, name),
          ByteBuffer.wrap(SealedJson.seal(json)),
          before.map(Precondition::ifMatch).orElse(Precondition.IF_ABSENT));
      return true;
    } catch (PreconditionFailedException _) {
      return false;
    }
  }
}
