package dev.cowbell.agent.repository;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.storage.AccessDeniedException;
import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectKey;
import dev.cowbell.storage.ObjectNotFoundException;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.PreconditionFailedException;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoreFullException;
import dev.cowbell.storage.StoredObject;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Stream;

/** A repository that is open: what exists in it, and the one way to make a point exist. */
public final class Repository implements Closeable {

  /** How many small objects are read at a time. */
  public static final int WIDTH = 16;

  private final ObjectStore store;
  private final Optional<Descriptor> descriptor;
  private final Optional<String> problem;

  private Repository(ObjectStore store, Optional<Descriptor> descriptor, Optional<String> problem) {
    this.store = store;
    this.descriptor = descriptor;
    this.problem = problem;
  }

  /**
   * Whether {@link #init} made the repository or found it.
   *
   * @param created false if it was there before
   */
  public record Initialised(Descriptor descriptor, boolean created) {}

  /**
   * Makes a repository of a store; harmless where one is.
   *
   * @throws DamagedObjectException if there is one whose description can't be read
   */
  public static Initialised init(ObjectStore store, InstantSource clock) throws IOException {
    Optional<Descriptor> present = descriptorOf(store);
    if (present.isPresent()) {
      return new Initialised(present.get(), false);
    }
    Descriptor mine = new Descriptor(UUID.randomUUID(), clock.instant());
    try {
      store.put(
          Layout.DESCRIPTOR, ByteBuffer.wrap(DescriptorCodec.encode(mine)), Precondition.IF_ABSENT);
    } catch (PreconditionFailedException e) {
      // somebody was faster, or the answer to our own success was lost
    }
    Descriptor stored =
        descriptorOf(store)
            .orElseThrow(
                () -> new NotFoundException(Layout.DESCRIPTOR + " vanished from " + store.url()));
    return new Initialised(stored, stored.equals(mine));
  }

  /**
   * Opens the repository in a store.
   *
   * @param store becomes the repository's: closed with it, and when opening fails
   * @throws NotFoundException if there is none
   * @throws DamagedObjectException if its description can't be read
   */
  public static Repository adopt(ObjectStore store) throws IOException {
    try {
      Optional<Descriptor> descriptor = descriptorOf(store);
      if (descriptor.isEmpty()) {
        throw none(store);
      }
      return new Repository(store, descriptor, Optional.empty());
    } catch (IOException | RuntimeException e) {
      store.close();
      throw e;
    }
  }

  /**
   * Opens the repository in a store to read from it, even if its description is damaged or lost:
   * that must not stand between a user and their data. {@link #descriptorProblem} tells.
   *
   * @param store becomes the repository's: closed with it, and when opening fails
   * @throws NotFoundException if there is neither a description nor any VM
   */
  public static Repository adoptForReading(ObjectStore store) throws IOException {
    try {
      Optional<Descriptor> descriptor = descriptorOf(store);
      if (descriptor.isEmpty() && isEmpty(store)) {
        throw none(store);
      }
      return new Repository(
          store, descriptor, descriptor.isEmpty() ? Optional.of("is missing") : Optional.empty());
    } catch (DamagedObjectException e) {
      return new Repository(store, Optional.empty(), Optional.of(e.problem()));
    } catch (IOException | RuntimeException e) {
      store.close();
      throw e;
    }
  }

  private static NotFoundException none(ObjectStore store) {
    return new NotFoundException(
        "no repository at " + store.url(), "cowbell init --repo " + store.url() + " makes one");
  }

  private static boolean isEmpty(ObjectStore store) throws IOException {
    try (Stream<ObjectInfo> objects = store.list(Layout.VMS)) {
      return objects.findFirst().isEmpty();
    } catch (UncheckedIOException e) {
      throw e.getCause() == null ? new IOException(e) : e.getCause();
    }
  }

  private static Optional<Descriptor> descriptorOf(ObjectStore store) throws IOException {
    Optional<StoredObject> document = document(store, Layout.DESCRIPTOR);
    return document.isEmpty()
        ? Optional.empty()
        : Optional.of(DescriptorCodec.decode(Layout.DESCRIPTOR, bytes(document.get())));
  }

  public ObjectStore store() {
    return store;
  }

  /** What the repository says of itself; there unless {@link #descriptorProblem} is. */
  public Descriptor descriptor() {
    return descriptor.orElseThrow();
  }

  /** What is wrong with the repository's description; empty if nothing is. */
  public Optional<String> descriptorProblem() {
    return problem;
  }

  /** Every VM that has an object of any kind, by name. */
  public List<VmName> vms() throws IOException {
    try (Stream<ObjectInfo> objects = store.list(Layout.VMS)) {
      TreeSet<VmName> names = new TreeSet<>();
      objects.forEach(object -> Layout.vmOf(object.key()).ifPresent(names::add));
      return List.copyOf(names);
    } catch (UncheckedIOException e) {
      throw e.getCause() == null ? new IOException(e) : e.getCause();
    }
  }

  /** All points of a VM, the damaged ones apart. A VM that was never backed up has none. */
  public Catalogue catalogue(VmName vm) throws IOException {
    List<PointId> ids;
    try (Stream<ObjectInfo> objects = store.list(Layout.manifests(vm))) {
      ids = objects.flatMap(o -> Layout.pointOfManifest(vm, o.key()).stream()).sorted().toList();
    } catch (UncheckedIOException e) {
      throw e.getCause() == null ? new IOException(e) : e.getCause();
    }
    return Catalogue.of(vm, Concurrently.map(ids, WIDTH, id -> entry(vm, id)));
  }

  private Optional<Catalogue.Entry> entry(VmName vm, PointId point) throws IOException {
    ObjectKey key = Layout.manifest(vm, point);
    try {
      Optional<StoredObject> document = document(store, key);
      if (document.isPresent() && ManifestCodec.isVoid(key, bytes(document.get()))) {
        return Optional.of(new Catalogue.Voided(point, document.get().info()));
      }
      return document.isEmpty()
          ? Optional.empty()
          : Optional.of(new Catalogue.Known(manifest(vm, point, document.get())));
    } catch (DamagedObjectException e) {
      return Optional.of(new Catalogue.Unreadable(point, key, e.problem()));
    } catch (NewerFormatException e) {
      return Optional.of(new Catalogue.Unreadable(point, key, String.valueOf(e.getMessage())));
    }
  }

  /**
   * The manifest of a point; empty if there is no such point.
   *
   * @throws DamagedObjectException if there is one that can't be trusted
   */
  public Optional<StoredManifest> read(VmName vm, PointId point) throws IOException {
    ObjectKey key = Layout.manifest(vm, point);
    Optional<StoredObject> document = document(store, key);
    if (document.isEmpty() || ManifestCodec.isVoid(key, bytes(document.get()))) {
      return Optional.empty();
    }
    return Optional.of(manifest(vm, point, document.get()));
  }

  private StoredManifest manifest(VmName vm, PointId point, StoredObject document)
      throws IOException {
    ObjectKey key = Layout.manifest(vm, point);
    Manifest manifest = ManifestCodec.decode(key, bytes(document));
    if (!manifest.point().equals(point) || !manifest.vm().equals(vm)) {
      throw new DamagedObjectException(
          key, "is the manifest of " + manifest.vm() + " " + manifest.point());
    }
    if (descriptor.isPresent() && !manifest.repository().equals(descriptor.get().id())) {
      throw new DamagedObjectException(
          key, "belongs to another repository, " + manifest.repository());
    }
    return new StoredManifest(manifest, document.info().etag());
  }

  /**
   * Makes a point exist. When this returns it does; when it throws a {@link CommitUnknownException}
   * nobody knows; with any other exception it does not.
   *
   * @throws PreconditionFailedException if another point of that id exists
   */
  public void commit(Manifest manifest) throws IOException {
    ObjectKey key = Layout.manifest(manifest.vm(), manifest.point());
    byte[] document = ManifestCodec.encode(manifest);
    try {
      store.put(key, ByteBuffer.wrap(document), Precondition.IF_ABSENT);
    } catch (PreconditionFailedException | AccessDeniedException | StoreFullException e) {
      if (!isStored(key, document, e)) {
        throw e;
      }
    } catch (IOException e) {
      // a request that got no answer may still be on its way: not to be found is no proof
      if (!isStored(key, document, e)) {
        throw new CommitUnknownException(key, e);
      }
    }
  }

  /**
   * Puts a manifest in the place of the version that was read.
   *
   * @throws PreconditionFailedException if somebody else was there in between; nothing is changed
   */
  public StoredManifest replace(StoredManifest old, Manifest manifest) throws IOException {
    ObjectKey key = Layout.manifest(manifest.vm(), manifest.point());
    byte[] document = ManifestCodec.encode(manifest);
    try {
      ObjectInfo info = store.put(key, ByteBuffer.wrap(document), Precondition.ifMatch(old.etag()));
      return new StoredManifest(manifest, info.etag());
    } catch (PreconditionFailedException e) {
      // an answer that was lost, and repeated, may refuse our own success
      Optional<StoredObject> stored = document(store, key);
      if (stored.isPresent() && Arrays.equals(bytes(stored.get()), document)) {
        return new StoredManifest(manifest, stored.get().info().etag());
      }
      throw e;
    }
  }

  /**
   * Sees to it that a point whose commit may still be under way either exists when this returns, or
   * never will.
   *
   * @return whether it exists
   */
  boolean settle(VmName vm, PointId point) throws IOException {
    ObjectKey key = Layout.manifest(vm, point);
    byte[] document = ManifestCodec.encodeVoid(descriptor().id(), vm, point);
    try {
      store.put(key, ByteBuffer.wrap(document), Precondition.IF_ABSENT);
      return false;
    } catch (PreconditionFailedException e) {
      Optional<StoredObject> stored = document(store, key);
      return stored.isPresent() && !Arrays.equals(bytes(stored.get()), document);
    }
  }

  /** Whether the document is there although the answer said otherwise, or was lost. */
  private boolean isStored(ObjectKey key, byte[] document, Exception putFailure)
      throws CommitUnknownException {
    try {
      Optional<StoredObject> stored = document(store, key);
      return stored.isPresent() && Arrays.equals(bytes(stored.get()), document);
    } catch (IOException e) {
      e.addSuppressed(putFailure);
      throw new CommitUnknownException(key, e);
    }
  }

  /**
   * A small object as it is now; empty if there is none.
   *
   * @throws DamagedObjectException if it is longer than any of ours
   */
  static Optional<StoredObject> document(ObjectStore store, ObjectKey key) throws IOException {
    try {
      return Optional.of(store.get(key, SealedJson.MAX_SIZE));
    } catch (ObjectNotFoundException e) {
      return Optional.empty();
    } catch (StoreException e) {
      Optional<ObjectInfo> info = store.stat(key);
      if (info.isPresent() && info.get().size() > SealedJson.MAX_SIZE) {
        throw new DamagedObjectException(
            key,
            "is %d bytes long; at most %d are allowed"
                .formatted(info.get().size(), SealedJson.MAX_SIZE));
      }
      throw e;
    }
  }

  static byte[] bytes(StoredObject object) {
    ByteBuffer body = object.body();
    byte[] bytes = new byte[body.remaining()];
    body.get(bytes);
    return bytes;
  }

  @Override
  public void close() throws IOException {
    store.close();
  }
}
