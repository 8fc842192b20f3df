package dev.cowbell.storage.directory;

import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectUpload;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.directory.UploadFiles.UploadFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.util.Optional;

/** An object in the making: a hidden file with room for the head at its front. */
final class DirectoryUpload implements ObjectUpload {

  private enum State {
    OPEN,
    FAILED,
    CLOSED
  }

  private final ObjectKey key;
  private final int headLength;
  private final Precondition precondition;
  private final ObjectFiles files;
  private final Publisher publisher;
  private final UploadFile file;
  private final EarlyWriteback writeback;
  private long length;
  private State state = State.OPEN;

  /** Takes over {@code file}: closes and, unless it is committed, deletes it. */
  DirectoryUpload(
      ObjectKey key,
      int headLength,
      Precondition precondition,
      ObjectFiles files,
      Publisher publisher,
      UploadFile file) {
    this.key = key;
    this.headLength = headLength;
    this.precondition = precondition;
    this.files = files;
    this.publisher = publisher;
    this.file = file;
    this.writeback = new EarlyWriteback(file.channel());
    this.length = headLength;
  }

  @Override
  public void append(ByteBuffer body) throws IOException {
    step(
        body.remaining(),
        () -> {
          long at = length;
          length += Transfer.write(file.channel(), at, body);
          writeback.grownTo(length);
          return length;
        });
  }

  @Override
  public void appendCopy(ObjectKey source, long at, long copied, ETag ifMatch) throws IOException {
    if (at < 0 || copied < 0) {
      throw new IllegalArgumentException("can't copy " + copied + " bytes from " + at);
    }
    step(
        copied,
        () -> {
          try (FileChannel from = files.open(source, Optional.of(ifMatch))) {
            if (copied > from.size() - at) {
              throw new StoreException(
                  source + " ends at " + from.size() + ", before " + at + " + " + copied);
            }
            Transfer.copy(from, at, copied, file.channel(), length);
          }
          length += copied;
          return length;
        });
  }

  @Override
  public ObjectInfo commit(ByteBuffer head) throws IOException {
    if (head.remaining() != headLength) {
      throw new IllegalArgumentException(
          "the head of " + key + " is " + headLength + " bytes, not " + head.remaining());
    }
    ObjectInfo info =
        step(
            0,
            () -> {
              Transfer.write(file.channel(), 0, head);
              writeback.finish();
              return publisher.publish(file, key, precondition);
            });
    close();
    return info;
  }

  /** One step of the upload, after whose failure there is no next one. */
  private <T> T step(long growth, CommitLock.Change<T> step) throws IOException {
    if (state != State.OPEN) {
      throw new IllegalStateException(
          "the upload of " + key + (state == State.FAILED ? " has failed" : " is closed"));
    }
    state = State.FAILED;
    if (growth > ObjectStore.MAX_OBJECT_SIZE - length) {
      throw new StoreException(
          key + " grows beyond " + ObjectStore.MAX_OBJECT_SIZE + " bytes, which no store takes");
    }
    try {
      T result = step.make();
      state = State.OPEN;
      return result;
    } catch (IOException e) {
      throw FileErrors.explain("writing " + key + " in " + files.root(), e);
    }
  }

  @Override
  public void close() {
    if (state == State.CLOSED) {
      return;
    }
    state = State.CLOSED;
    // Deleted before it is closed, and so unlocked. After a commit the name is gone already.
    try (FileChannel _ = file.channel()) {
      Files.deleteIfExists(file.path());
    } catch (IOException e) {
      DirectoryStore.LOG.warn("{}: left behind, the next sweep clears it", file.path(), e);
    }
  }
}
