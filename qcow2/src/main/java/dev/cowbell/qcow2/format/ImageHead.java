package dev.cowbell.qcow2.format;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * What an image's first cluster holds: the header, its extensions in their order, and the name of
 * the backing file.
 *
 * @param header the fixed fields
 * @param extensions all header extensions, unknown ones included, without the one that ends the
 *     list
 * @param backingFileName the backing file's name as stored; empty for none
 */
public record ImageHead(Header header, List<HeaderExtension> extensions, Bytes backingFileName) {
  private static final int END_TYPE = 0;
  private static final Field EXTENSION_TYPE = Field.u32("extension type", 0);
  private static final Field EXTENSION_LENGTH = Field.u32("extension length", 4);
  private static final int EXTENSION_HEADER = EXTENSION_LENGTH.end();
  private static final int ALIGNMENT = 8;

  public ImageHead {
    extensions = List.copyOf(extensions);
  }

  /**
   * Reads the first cluster and checks everything in it but the places of tables.
   *
   * @param cluster the first bytes of the image from index 0: the whole first cluster or 2 MiB,
   *     with zeroes for what lies behind the file's end
   * @throws CorruptImageException if a value is outside its bounds
   * @throws UnsupportedFeatureException if an incompatible feature is unknown; the message has its
   *     name when the image gives it
   */
  public static ImageHead decode(ByteBuffer cluster)
      throws CorruptImageException, UnsupportedFeatureException {
    Header header = Header.decode(cluster);
    refuseUnknownFeatures(header, cluster);
    header.checkFeatures();
    List<HeaderExtension> extensions = new ArrayList<>();
    for (RawExtension raw : rawExtensions(header, cluster)) {
      extensions.add(HeaderExtension.of(raw.type(), raw.payload()));
    }
    Bytes name =
        header.backingFileOffset() == 0
            ? Bytes.EMPTY
            : Bytes.take(
                cluster.duplicate().position((int) header.backingFileOffset()),
                header.backingFileSize());
    return new ImageHead(header, extensions, name);
  }

  /**
   * The first cluster's bytes up to the end of the backing file's name. Where the name stands is
   * decided here, whatever the header says; the rest of the cluster may hold anything.
   *
   * @throws IllegalArgumentException if it doesn't fit into one cluster
   */
  public ByteBuffer encode() {
    int extensionBytes = EXTENSION_HEADER;
    for (HeaderExtension extension : extensions) {
      extensionBytes += EXTENSION_HEADER + padded(extension.payload().length());
    }
    int nameOffset = header.headerLength() + extensionBytes;
    int length = nameOffset + backingFileName.length();
    if (length > 1 << header.clusterBits()
        || backingFileName.length() > Header.MAX_BACKING_FILE_NAME) {
      throw new IllegalArgumentException(
          "header, extensions and backing file name take %d bytes, a cluster has %d"
              .formatted(length, 1 << header.clusterBits()));
    }
    boolean backed = backingFileName.length() > 0;
    ByteBuffer out = ByteBuffer.allocate(length);
    header
        .change()
        .backingFile(backed ? nameOffset : 0, backingFileName.length())
        .build()
        .encode(out);
    out.position(header.headerLength());
    for (HeaderExtension extension : extensions) {
      int end = out.position() + EXTENSION_HEADER + padded(extension.payload().length());
      out.putInt(extension.type()).putInt(extension.payload().length());
      out.put(extension.payload().buffer());
      out.position(end);
    }
    out.putInt(END_TYPE).putInt(0).put(backingFileName.buffer());
    return out.flip();
  }

  /** The extension of a kind that an image has at most once; of several the last one counts. */
  public <E extends HeaderExtension> Optional<E> extension(Class<E> kind) {
    return extensions.stream().filter(kind::isInstance).map(kind::cast).reduce((a, b) -> b);
  }

  /** The backing file's name as text, if there is one. */
  public Optional<String> backingFile() {
    return Optional.of(backingFileName.text()).filter(Predicate.not(String::isEmpty));
  }

  /** The backing file's format as the header says it. */
  public Optional<String> backingFormat() {
    return extension(HeaderExtension.BackingFormat.class)
        .map(HeaderExtension.BackingFormat::format)
        .filter(Predicate.not(String::isEmpty));
  }

  /** The name of the external data file, if the header says one. */
  public Optional<String> dataFile() {
    return extension(HeaderExtension.ExternalDataFile.class)
        .map(HeaderExtension.ExternalDataFile::name);
  }

  public ImageHead withHeader(Header changed) {
    return new ImageHead(changed, extensions, backingFileName);
  }

  public ImageHead withBackingFile(Bytes name) {
    return new ImageHead(header, extensions, name);
  }

  /** Puts an extension in the place of the first of its type, or behind the others. */
  public ImageHead withExtension(HeaderExtension extension) {
    List<HeaderExtension> changed = new ArrayList<>();
    boolean placed = false;
    for (HeaderExtension old : extensions) {
      if (old.type() != extension.type()) {
        changed.add(old);
      } else if (!placed) {
        changed.add(extension);
        placed = true;
      }
    }
    if (!placed) {
      changed.add(extension);
    }
    return new ImageHead(header, changed, backingFileName);
  }

  /** Leaves out all extensions of a type. */
  public ImageHead withoutExtension(int type) {
    return new ImageHead(
        header, extensions.stream().filter(e -> e.type() != type).toList(), backingFileName);
  }

  private record RawExtension(int type, Bytes payload) {}

  private static List<RawExtension> rawExtensions(Header header, ByteBuffer cluster)
      throws CorruptImageException {
    int at = header.headerLength();
    int end =
        header.backingFileOffset() == 0
            ? 1 << header.clusterBits()
            : (int) header.backingFileOffset();
    List<RawExtension> found = new ArrayList<>();
    while (at < end) {
      ByteBuffer rest = cluster.slice(at, end - at);
      long length = rest.limit() < EXTENSION_HEADER ? 0 : EXTENSION_LENGTH.get(rest);
      if (rest.limit() < EXTENSION_HEADER || length > rest.limit() - EXTENSION_HEADER) {
        throw new CorruptImageException(
            "the header extension at offset %d has %d bytes, up to offset %d there is no room"
                .formatted(at, length, end));
      }
      int type = (int) EXTENSION_TYPE.get(rest);
      if (type == END_TYPE) {
        break;
      }
      found.add(new RawExtension(type, Bytes.take(rest.position(EXTENSION_HEADER), (int) length)));
      at += EXTENSION_HEADER + padded((int) length);
    }
    return found;
  }

  private static void refuseUnknownFeatures(Header header, ByteBuffer cluster)
      throws CorruptImageException, UnsupportedFeatureException {
    long unknown = header.features().unknown(Feature.Kind.INCOMPATIBLE);
    if (unknown == 0) {
      return;
    }
    List<String> names = new ArrayList<>();
    List<HeaderExtension.FeatureNameTable> tables =
        rawExtensions(header, cluster).stream()
            .filter(raw -> raw.type() == HeaderExtension.FEATURE_NAME_TABLE_TYPE)
            .map(raw -> new HeaderExtension.FeatureNameTable(raw.payload()))
            .toList();
    for (int bit = 0; bit < Long.SIZE; bit++) {
      if ((unknown >>> bit & 1) != 0) {
        int number = bit;
        names.add(
            tables.stream()
                .flatMap(table -> table.name(Feature.Kind.INCOMPATIBLE, number).stream())
                .findFirst()
                .map(ImageHead::printable)
                .orElse("incompatible feature bit " + bit));
      }
    }
    throw new UnsupportedFeatureException(
        "the image needs features that are not known here: " + String.join(", ", names));
  }

  /** A name from an image for a message of one line. */
  private static String printable(String name) {
    return name.replaceAll("\\p{C}", "?");
  }

  private static int padded(int length) {
    return (length + ALIGNMENT - 1) & -ALIGNMENT;
  }
}
