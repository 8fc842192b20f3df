package dev.cowbell.storage.directory;

import dev.cowbell.storage.ConditionalPutTrial;
import dev.cowbell.storage.ETag;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectUpload;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.StoreCapabilities;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoreProbe;
import dev.cowbell.storage.StoreUnavailableException;
import dev.cowbell.storage.StoredObject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Objects as files under a directory. A file appears whole and synced or not at all; several
 * processes may share the directory. What is only ours lies in the hidden folder {@code .cowbell}:
 * the {@link CommitLock} and the {@link UploadFiles}. Reading alone creates nothing, so a
 * repository on a read-only file system can be read.
 */
public final class DirectoryStore implements ObjectStore {

  static final Logger LOG = LoggerFactory.getLogger(DirectoryStore.class);

  private static final int READS_WHILE_REPLACED = 100;

  private static final StoreCapabilities CAPABILITIES = new StoreCapabilities(true, true);

  private final ObjectFiles files;
  private final DurableDirectories directories;
  private final UploadFiles uploads;
  private final Publisher publisher;
  private final InstantSource clock;

  private DirectoryStore(Path root, InstantSource clock) {
    Path hidden = root.resolve(".cowbell");
    this.clock = clock;
    this.files = new ObjectFiles(root);
    this.directories = new DurableDirectories(root);
    this.uploads = new UploadFiles(hidden.resolve("uploads"));
    this.publisher =
        new Publisher(files, directories, new CommitLock(hidden.resolve("lock")), clock);
  }

  /**
   * Opens an existing directory.
   *
   * @param clock gives objects their times
   * @throws StoreException if there is no such directory
   */
  public static DirectoryStore open(Path root, InstantSource clock) throws IOException {
    if (!Files.isDirectory(root)) {
      throw new StoreException(
          root + (Files.exists(root) ? " is not a directory" : " does not exist"));
    }
    try {
      return new DirectoryStore(root.toRealPath(), clock);
    } catch (IOException e) {
      throw FileErrors.explain("opening " + root, e);
    }
  }

  /** Opens a directory that is made first, with its parents, if it does not exist. */
  public static DirectoryStore create(Path root, InstantSource clock) throws IOException {
    try {
      DurableDirectories.makeRoot(root.toAbsolutePath().normalize());
    } catch (IOException e) {
      throw FileErrors.explain("creating " + root, e);
    }
    return open(root, clock);
  }

  @Override
  public String url() {
    return files.root().toUri().toString();
  }

  @Override
  public StoreCapabilities capabilities() {
    return CAPABILITIES;
  }

  @Override
  public StoreProbe probe() throws IOException {
    return new StoreProbe(CAPABILITIES, List.of(ConditionalPutTrial.run(this).finding()));
  }

  @Override
  public ObjectInfo put(ObjectKey key, ByteBuffer body, Precondition precondition)
      throws IOException {
    try (ObjectUpload upload = begin(key, body.remaining(), precondition)) {
      return upload.commit(body.duplicate());
    }
  }

  @Override
  public ObjectUpload begin(
      ObjectKey key, int headLength, Precondition precondition, long expectedLength)
      throws IOException {
    if (headLength < 0 || headLength > ObjectUpload.MAX_HEAD_LENGTH) {
      throw new IllegalArgumentException(
          "a head is 0 to " + ObjectUpload.MAX_HEAD_LENGTH + " bytes, not " + headLength);
    }
    try {
      publisher.check(key, precondition);
      makeHiddenFolders();
      return new DirectoryUpload(key, headLength, precondition, files, publisher, uploads.create());
    } catch (IOException e) {
      throw FileErrors.explain("writing " + key + " in " + files.root(), e);
    }
  }

  @Override
  public void read(ObjectKey key, long at, ByteBuffer dst, Optional<ETag> ifMatch)
      throws IOException {
    if (at < 0) {
      throw new IllegalArgumentException("can't read from " + at);
    }
    try (FileChannel channel = files.open(key, ifMatch)) {
      Transfer.read(channel, at, dst);
    } catch (IOException e) {
      throw FileErrors.explain("reading " + key + " in " + files.root(), e);
    }
  }

  @Override
  public StoredObject get(ObjectKey key, int limit) throws IOException {
    try {
      for (int i = 0; i < READS_WHILE_REPLACED; i++) {
        ObjectInfo info = files.require(key, Optional.empty());
        info.requireAtMost(limit);
        ByteBuffer body = ByteBuffer.allocate(Math.toIntExact(info.size()));
        try (FileChannel channel = files.open(key, Optional.empty())) {
          if (channel.size() == info.size()) {
            Transfer.read(channel, 0, body);
          }
        }
        // The same version before and after is the one that was read.
        if (files.find(key).filter(info::equals).isPresent()) {
          return new StoredObject(info, body.flip());
        }
      }
      throw new StoreUnavailableException(key + " is replaced faster than it can be read");
    } catch (IOException e) {
      throw FileErrors.explain("reading " + key + " in " + files.root(), e);
    }
  }

  @Override
  public Optional<ObjectInfo> stat(ObjectKey key) throws IOException {
    try {
      return files.find(key);
    } catch (IOException e) {
      throw FileErrors.explain("looking for " + key + " in " + files.root(), e);
    }
  }

  @Override
  public Stream<ObjectInfo> list(String prefix, Optional<ObjectKey> after) throws IOException {
    ObjectKey.requirePrefix(prefix);
    try {
      files.requireNoLink(files.root().resolve(prefix.substring(0, prefix.lastIndexOf('/') + 1)));
      DirectoryListing listing = new DirectoryListing(files.root(), prefix, after);
      return StreamSupport.stream(
          Spliterators.spliteratorUnknownSize(
              listing, Spliterator.ORDERED | Spliterator.DISTINCT | Spliterator.NONNULL),
          false);
    } catch (IOException e) {
      throw FileErrors.explain("listing " + files.root(), e);
    }
  }

  @Override
  public void delete(Collection<ObjectKey> keys) throws IOException {
    if (keys.isEmpty()) {
      return;
    }
    try {
      makeHiddenFolders();
      publisher.delete(keys);
    } catch (IOException e) {
      throw FileErrors.explain("deleting in " + files.root(), e);
    }
  }

  @Override
  public int sweepUploads(String prefix, Duration minimumAge) throws IOException {
    ObjectKey.requirePrefix(prefix);
    try {
      files.requireNoLink(uploads.folder());
      return uploads.sweep(minimumAge, clock.instant());
    } catch (IOException e) {
      throw FileErrors.explain("clearing " + uploads.folder(), e);
    }
  }

  private void makeHiddenFolders() throws IOException {
    files.requireNoLink(uploads.folder());
    directories.make(uploads.folder());
  }

  @Override
  public void close() throws IOException {
    try {
      uploads.close();
    } catch (IOException e) {
      throw FileErrors.explain("closing " + files.root(), e);
    }
  }
}
