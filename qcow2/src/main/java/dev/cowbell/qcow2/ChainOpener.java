package dev.cowbell.qcow2;

import dev.cowbell.qcow2.check.ImageRepair;
import dev.cowbell.qcow2.crypto.EncryptedClusters;
import dev.cowbell.qcow2.crypto.ImageCipher;
import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.Header;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.map.L2Cache;
import dev.cowbell.qcow2.write.BarrierFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Opens an image and what it refers to, layer by layer, each file once, to a bounded depth. */
final class ChainOpener {
  static final String QCOW2 = "qcow2";
  static final String RAW = "raw";
  private static final int SECTOR = 512;

  /** The most layers of a chain; QEMU has no bound and fails by its stack. */
  static final int MAX_LAYERS = 200;

  private final OpenOptions options;
  private final L2Cache cache;
  private final Set<Object> opened = new HashSet<>();

  ChainOpener(OpenOptions options) {
    this.options = options;
    this.cache = new L2Cache(options.l2CacheBytes());
  }

  /** Opens a qcow2 image; takes over the file also when it fails. */
  Qcow2Image openImage(HostFile given, boolean alone) throws IOException {
    int depth = opened.size();
    HostFile file = writes(depth) ? BarrierFile.adopt(given, options.barriers()) : given;
    Owned owned = new Owned(file);
    try {
      noteOpened(file);
      ImageHead head = readHead(file);
      head.header().checkTables();
      if (writes(depth)) {
        if (ImageRepair.recoverDirty(file)) {
          head = readHead(file);
        }
      }
      HostFile dataFile = openData(file, head, writes(depth));
      owned.dataFile = dataFile.equals(file) ? null : dataFile;
      StoredData data = unlock(file, head, dataFile, depth);
      owned.data = data;
      owned.backing = openBacking(file, head, alone);
      return writes(depth)
          ? new Qcow2Image(file, data, owned.backing, cache, options)
          : new Qcow2Image(file, head, data, owned.backing, cache);
    } catch (ImageException e) {
      owned.close(e);
      throw e.in(file.name());
    } catch (IOException | RuntimeException e) {
      owned.close(e);
      throw e;
    }
  }

  private boolean writes(int depth) {
    return depth == 0
        ? options.access() == OpenOptions.Access.READ_WRITE
        : depth == options.writtenLayer();
  }

  /** What has been opened so far and has to be closed when the rest fails. */
  private static final class Owned {
    private final HostFile file;
    private @Nullable HostFile dataFile;
    private @Nullable StoredData data;
    private @Nullable MappedDisk backing;

    private Owned(HostFile file) {
      this.file = file;
    }

    private void close(Exception because) {
      try (HostFile _ = file;
          HostFile _ = dataFile;
          StoredData _ = data;
          MappedDisk _ = backing) {
        // Closing is all there is to do.
      } catch (IOException e) {
        because.addSuppressed(e);
      }
    }
  }

  static ImageHead readHead(HostFile file) throws IOException {
    ByteBuffer start = ByteBuffer.allocate(SECTOR);
    file.readPadded(0, start);
    ByteBuffer cluster = ByteBuffer.allocate(Header.clusterSize(start));
    file.readPadded(0, cluster);
    return ImageHead.decode(cluster.flip());
  }

  private StoredData unlock(HostFile file, ImageHead head, HostFile data, int depth)
      throws IOException {
    if (options.scope() == OpenOptions.Scope.METADATA) {
      return head.header().cryptMethod() == CryptMethod.NONE
          ? new StoredData.Plain(data)
          : new StoredData.Locked(data);
    }
    Optional<Passphrase> passphrase = options.passphrases().forLayer(depth);
    Optional<ImageCipher> cipher = ImageCipher.open(file, head, passphrase);
    if (head.header().features().has(Feature.RAW_EXTERNAL_DATA) && cipher.isEmpty()) {
      return new StoredData.Raw(data, head.header().diskSize());
    }
    return cipher.isEmpty()
        ? new StoredData.Plain(data)
        : new StoredData.Encrypted(data, new EncryptedClusters(data, cipher.get()));
  }

  /** The file that holds uncompressed guest data: the image itself, mostly. */
  private HostFile openData(HostFile file, ImageHead head, boolean written) throws IOException {
    if (!head.header().features().has(Feature.EXTERNAL_DATA_FILE)
        || options.scope() == OpenOptions.Scope.METADATA) {
      return file;
    }
    String name =
        head.dataFile()
            .orElseThrow(() ->
                new CorruptImageException(
                    "guest data is in an external data file, but its name is missing"));
    HostFile data =
        open(
            new FileReference(
                FileReference.Role.DATA_FILE,
                file.name(),
                ReferenceName.parse(name).filename(),
                FileReference.Base.WORKING_DIRECTORY,
                written));
    return written ? BarrierFile.adopt(data, options.barriers()) : data;
  }

  /** Opens what an image in a file could name as its backing file. */
  MappedDisk openNamed(HostFile referrer, String name, String format) throws IOException {
    noteOpened(referrer);
    ReferenceName parsed = ReferenceName.parse(name);
    HostFile backing =
        open(
            new FileReference(
                FileReference.Role.BACKING_FILE,
                referrer.name(),
                parsed.filename(),
                parsed.base(),
                false));
    return openLayer(backing, Optional.of(format), parsed.alone());
  }

  private @Nullable MappedDisk openBacking(HostFile file, ImageHead head, boolean alone)
      throws IOException {
    Optional<String> name = head.backingFile();
    if (name.isEmpty() || alone) {
      return null;
    }
    if (options.scope() != OpenOptions.Scope.CHAIN) {
      return new LeftOutBacking(file.name());
    }
    ReferenceName parsed = ReferenceName.parse(name.get());
    Optional<String> format = head.backingFormat().or(parsed::format);
    if (format.isEmpty()) {
      format = unstatedFormat(name.get());
    }
    HostFile backing =
        open(
            new FileReference(
                FileReference.Role.BACKING_FILE,
                file.name(),
                parsed.filename(),
                parsed.base(),
                writes(opened.size())));
    return openLayer(backing, format, parsed.alone());
  }

  /** The format that the options allow where none is stated; empty for a look at the file. */
  private Optional<String> unstatedFormat(String name) throws ReferenceException {
    return switch (options.backingFormat()) {
      case BackingFormat.Assumed(String format) -> Optional.of(format);
      case BackingFormat.Probed() -> Optional.empty();
      case BackingFormat.Stated() ->
          throw new ReferenceException(
              "the format of the backing file %s is not stated, and is not guessed"
                  .formatted(Names.quoted(name)));
    };
  }

  private MappedDisk openLayer(HostFile file, Optional<String> stated, boolean alone)
      throws IOException {
    try {
      String format = stated.isPresent() ? stated.get() : probe(file);
      return switch (format) {
        case QCOW2 -> openImage(file, alone);
        case RAW, "file", "host_device" -> openRaw(file);
        default ->
            throw new UnsupportedFeatureException(
                "its format is said to be %s; readable as a backing file are qcow2 and raw"
                    .formatted(Names.quoted(format)));
      };
    } catch (ImageException e) {
      file.close();
      throw e.in(file.name());
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private RawDisk openRaw(HostFile file) throws IOException {
    boolean written = writes(opened.size());
    noteOpened(file);
    return RawDisk.adopt(written ? BarrierFile.adopt(file, options.barriers()) : file);
  }

  private static String probe(HostFile file) throws IOException {
    ByteBuffer start = ByteBuffer.allocate(SECTOR);
    file.readPadded(0, start);
    return Header.isQcow2(start) ? QCOW2 : RAW;
  }

  private HostFile open(FileReference reference) throws IOException {
    try {
      return options.references().open(reference);
    } catch (ImageException e) {
      throw e;
    } catch (NoSuchFileException e) {
      throw unopened(reference, "there is no file " + e.getMessage(), e);
    } catch (IOException | InvalidPathException e) {
      throw unopened(reference, String.valueOf(e.getMessage()), e);
    }
  }

  private static ReferenceException unopened(FileReference reference, String why, Exception e) {
    return new ReferenceException(
        "the %s %s can't be opened: %s"
            .formatted(reference.role(), Names.quoted(reference.filename()), why),
        e);
  }

  private void noteOpened(HostFile file) throws ReferenceException {
    if (!opened.add(file.identity())) {
      throw new ReferenceException("the backing chain is a loop: it comes back to this file");
    }
    if (opened.size() > MAX_LAYERS) {
      throw new ReferenceException("the backing chain has more than " + MAX_LAYERS + " layers");
    }
  }
}
