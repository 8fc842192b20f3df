package dev.cowbell.qcow2.format;

import dev.cowbell.qcow2.CorruptImageException;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * A header extension (specification: "Header extensions"). Each keeps its payload, so that what is
 * read is written back byte for byte.
 */
public sealed interface HeaderExtension {
  int BACKING_FORMAT_TYPE = 0xe2792aca;
  int FEATURE_NAME_TABLE_TYPE = 0x6803f857;
  int BITMAPS_TYPE = 0x23852875;
  int FULL_DISK_ENCRYPTION_TYPE = 0x0537be77;
  int EXTERNAL_DATA_FILE_TYPE = 0x44415441;

  /** The 32 bits that say what kind of extension it is. */
  int type();

  /** The bytes that follow type and length, without padding. */
  Bytes payload();

  /** The format of the backing file. */
  record BackingFormat(Bytes payload) implements HeaderExtension {
    public static final int MAX_LENGTH = 15;

    public static BackingFormat of(String format) {
      return new BackingFormat(Bytes.utf8(format));
    }

    @Override
    public int type() {
      return BACKING_FORMAT_TYPE;
    }

    public String format() {
      return payload.text();
    }
  }

  /** Names for feature bits, so that a reader can name the bits it doesn't know. */
  record FeatureNameTable(Bytes payload) implements HeaderExtension {
    private static final int ENTRY_LENGTH = 48;
    private static final int NAME_LENGTH = 46;

    /** The table that names every bit this library knows. */
    public static FeatureNameTable ofKnownFeatures() {
      Feature[] features = Feature.values();
      ByteBuffer table = ByteBuffer.allocate(features.length * ENTRY_LENGTH);
      for (int i = 0; i < features.length; i++) {
        table.position(i * ENTRY_LENGTH);
        table.put((byte) features[i].kind().code()).put((byte) features[i].bit());
        table.put(Bytes.utf8(features[i].title()).buffer());
      }
      return new FeatureNameTable(Bytes.take(table.rewind(), table.capacity()));
    }

    @Override
    public int type() {
      return FEATURE_NAME_TABLE_TYPE;
    }

    /** The name of a bit, if the table has one. */
    public Optional<String> name(Feature.Kind kind, int bit) {
      for (int at = 0; at + ENTRY_LENGTH <= payload.length(); at += ENTRY_LENGTH) {
        if (payload.get(at) == kind.code() && payload.get(at + 1) == bit) {
          Bytes name = Bytes.take(payload.buffer().position(at + 2), NAME_LENGTH);
          return Optional.of(name.text()).filter(text -> !text.isEmpty());
        }
      }
      return Optional.empty();
    }
  }

  /**
   * Where the directory of persistent bitmaps is; the payload's fields are declared in the room of
   * bitmaps. Only to be believed while {@link Feature#BITMAPS} is set.
   */
  record Bitmaps(Bytes payload) implements HeaderExtension {
    public static final int LENGTH = 24;

    @Override
    public int type() {
      return BITMAPS_TYPE;
    }
  }

  /** Where the LUKS header is. */
  record FullDiskEncryption(Bytes payload) implements HeaderExtension {
    public static final int LENGTH = 16;
    private static final Field OFFSET = Field.u64("offset", 0);
    private static final Field HEADER_LENGTH = Field.u64("length", 8);

    public static FullDiskEncryption of(long offset, long length) {
      ByteBuffer payload = ByteBuffer.allocate(LENGTH);
      OFFSET.put(payload, offset);
      HEADER_LENGTH.put(payload, length);
      return new FullDiskEncryption(Bytes.take(payload, LENGTH));
    }

    @Override
    public int type() {
      return FULL_DISK_ENCRYPTION_TYPE;
    }

    /** The host offset of the LUKS header, unsigned. */
    public long offset() {
      return OFFSET.get(payload.buffer());
    }

    /** The bytes of the LUKS header with its key material, unsigned. */
    public long length() {
      return HEADER_LENGTH.get(payload.buffer());
    }
  }

  /** The name of the file that holds the guest's data. */
  record ExternalDataFile(Bytes payload) implements HeaderExtension {
    public static ExternalDataFile of(String name) {
      return new ExternalDataFile(Bytes.utf8(name));
    }

    @Override
    public int type() {
      return EXTERNAL_DATA_FILE_TYPE;
    }

    public String name() {
      return payload.text();
    }
  }

  /** An extension of some other kind: to be kept, and otherwise to be ignored. */
  record Unknown(int type, Bytes payload) implements HeaderExtension {}

  /**
   * Gives a payload its meaning.
   *
   * @throws CorruptImageException if its length isn't one the type allows
   */
  static HeaderExtension of(int type, Bytes payload) throws CorruptImageException {
    return switch (type) {
      case BACKING_FORMAT_TYPE -> {
        if (payload.length() > BackingFormat.MAX_LENGTH) {
          throw wrongLength("backing format", payload, "at most " + BackingFormat.MAX_LENGTH);
        }
        yield new BackingFormat(payload);
      }
      case FEATURE_NAME_TABLE_TYPE -> new FeatureNameTable(payload);
      case BITMAPS_TYPE -> {
        if (payload.length() != Bitmaps.LENGTH) {
          throw wrongLength("bitmaps", payload, "exactly " + Bitmaps.LENGTH);
        }
        yield new Bitmaps(payload);
      }
      case FULL_DISK_ENCRYPTION_TYPE -> {
        if (payload.length() != FullDiskEncryption.LENGTH) {
          throw wrongLength("encryption", payload, "exactly " + FullDiskEncryption.LENGTH);
        }
        yield new FullDiskEncryption(payload);
      }
      case EXTERNAL_DATA_FILE_TYPE -> new ExternalDataFile(payload);
      default -> new Unknown(type, payload);
    };
  }

  private static CorruptImageException wrongLength(String kind, Bytes payload, String allowed) {
    return new CorruptImageException(
        "the %s header extension has %d bytes, allowed are %s"
            .formatted(kind, payload.length(), allowed));
  }
}
