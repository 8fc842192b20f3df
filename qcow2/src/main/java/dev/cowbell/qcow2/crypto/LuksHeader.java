package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.Field;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The first 592 bytes of a LUKS 1 volume (LUKS 1 on-disk format, "PHDR").
 *
 * @param cipher what encrypts the guest's data and the key material
 * @param hash what PBKDF2 and the splitter use
 * @param payloadSector where data would start in a volume of its own, in sectors from the header;
 *     in a qcow2 image it only bounds the key material
 * @param digest 20 bytes that the right master key is told by
 * @param digestSalt 32 bytes
 * @param digestIterations what PBKDF2 does with the master key; at least 1
 * @param uuid the volume's name for itself; may be any text
 * @param slots the eight key slots, none of which overlaps another, the header or the payload
 */
public record LuksHeader(
    CipherSpec cipher,
    HashAlgorithm hash,
    long payloadSector,
    Bytes digest,
    Bytes digestSalt,
    long digestIterations,
    String uuid,
    List<KeySlot> slots) {

  public static final int SLOTS = 8;
  static final int LENGTH = 592;
  static final int DIGEST_LENGTH = 20;

  private static final byte[] MAGIC = {'L', 'U', 'K', 'S', (byte) 0xba, (byte) 0xbe};
  private static final int VERSION_1 = 1;
  private static final int NAME_LENGTH = 32;
  private static final int UUID_LENGTH = 40;
  private static final int HEADER_SECTORS = Math.ceilDiv(LENGTH, SectorCipher.SECTOR);

  private static final Field VERSION = Field.u16("version", 6);
  private static final int CIPHER_NAME = 8;
  private static final int CIPHER_MODE = 40;
  private static final int HASH_SPEC = 72;
  private static final Field PAYLOAD_OFFSET = Field.u32("payload_offset", 104);
  private static final Field KEY_BYTES = Field.u32("key_bytes", 108);
  private static final int MK_DIGEST = 112;
  private static final int MK_DIGEST_SALT = 132;
  private static final Field MK_DIGEST_ITERATIONS = Field.u32("mk_digest_iterations", 164);
  private static final int UUID = 168;
  private static final int KEY_SLOTS = 208;

  public LuksHeader {
    slots = List.copyOf(slots);
  }

  /**
   * Reads and checks a header.
   *
   * @param header {@link #LENGTH} bytes from index 0
   * @throws CorruptImageException if QEMU would refuse it too
   * @throws UnsupportedFeatureException if it is another version or uses ciphers unknown here
   */
  public static LuksHeader decode(ByteBuffer header)
      throws CorruptImageException, UnsupportedFeatureException {
    byte[] magic = new byte[MAGIC.length];
    header.get(0, magic);
    if (!Bytes.copyOf(MAGIC).equals(Bytes.copyOf(magic))) {
      throw new CorruptImageException(
          "the LUKS header starts with %s, allowed is %s"
              .formatted(Bytes.copyOf(magic), Bytes.copyOf(MAGIC)));
    }
    if (VERSION.get(header) != VERSION_1) {
      throw new UnsupportedFeatureException(
          "the LUKS header has version %d, allowed is 1".formatted(VERSION.get(header)));
    }
    CipherSpec cipher =
        CipherSpec.decode(
            name(header, "cipher name", CIPHER_NAME),
            name(header, "cipher mode", CIPHER_MODE),
            KEY_BYTES.get(header));
    HashAlgorithm hash = HashAlgorithm.of(name(header, "hash", HASH_SPEC));
    long digestIterations = MK_DIGEST_ITERATIONS.get(header);
    if (digestIterations == 0) {
      throw new CorruptImageException(
          "the LUKS header's digest has 0 iterations, allowed is 1 or more");
    }
    List<KeySlot> slots = new ArrayList<>();
    for (int i = 0; i < SLOTS; i++) {
      slots.add(KeySlot.decode(i, header.slice(slotOffset(i), KeySlot.LENGTH)));
    }
    LuksHeader decoded =
        new LuksHeader(
            cipher,
            hash,
            PAYLOAD_OFFSET.get(header),
            bytes(header, MK_DIGEST, DIGEST_LENGTH),
            bytes(header, MK_DIGEST_SALT, KeySlot.SALT_LENGTH),
            digestIterations,
            Names.printable(bytes(header, UUID, UUID_LENGTH).text()),
            slots);
    decoded.checkPlaces();
    return decoded;
  }

  /** Puts the header at index 0 of a buffer. */
  void encode(ByteBuffer header) {
    header.put(0, MAGIC);
    VERSION.put(header, VERSION_1);
    header.put(CIPHER_NAME, CipherAlgorithm.FAMILY.getBytes(StandardCharsets.US_ASCII));
    header.put(CIPHER_MODE, cipher.modeText().getBytes(StandardCharsets.US_ASCII));
    header.put(HASH_SPEC, hash.text().getBytes(StandardCharsets.US_ASCII));
    PAYLOAD_OFFSET.put(header, payloadSector);
    KEY_BYTES.put(header, cipher.keyLength());
    header.put(MK_DIGEST, digest.toArray());
    header.put(MK_DIGEST_SALT, digestSalt.toArray());
    MK_DIGEST_ITERATIONS.put(header, digestIterations);
    header.put(UUID, uuid.getBytes(StandardCharsets.US_ASCII));
    for (int i = 0; i < SLOTS; i++) {
      slots.get(i).encode(header.slice(slotOffset(i), KeySlot.LENGTH));
    }
  }

  /** The numbers of the slots that hold the master key. */
  public List<Integer> activeSlots() {
    return IntStream.range(0, SLOTS).filter(i -> slots.get(i).active()).boxed().toList();
  }

  LuksHeader withSlot(int number, KeySlot slot) {
    List<KeySlot> changed = new ArrayList<>(slots);
    changed.set(number, slot);
    return new LuksHeader(
        cipher, hash, payloadSector, digest, digestSalt, digestIterations, uuid, changed);
  }

  /** Where a slot is, in bytes from the header's first. */
  static int slotOffset(int slot) {
    return KEY_SLOTS + slot * KeySlot.LENGTH;
  }

  /** The bytes of key material in each slot. */
  int materialLength() {
    return cipher.keyLength() * AntiForensicSplitter.STRIPES;
  }

  /** The first sector behind a slot's key material. */
  long materialEnd(KeySlot slot) {
    return slot.keySector() + Math.ceilDiv(materialLength(), SectorCipher.SECTOR);
  }

  private void checkPlaces() throws CorruptImageException {
    for (int i = 0; i < SLOTS; i++) {
      KeySlot slot = slots.get(i);
      if (slot.keySector() < HEADER_SECTORS || materialEnd(slot) > payloadSector) {
        throw new CorruptImageException(
            "key slot %d covers the sectors %d to %d, allowed are %d to %d"
                .formatted(
                    i, slot.keySector(), materialEnd(slot) - 1, HEADER_SECTORS, payloadSector - 1));
      }
      for (int j = 0; j < i; j++) {
        KeySlot other = slots.get(j);
        if (slot.keySector() < materialEnd(other) && other.keySector() < materialEnd(slot)) {
          throw new CorruptImageException(
              "the key slots %d and %d overlap: they start at the sectors %d and %d and have %d"
                  .formatted(
                      j,
                      i,
                      other.keySector(),
                      slot.keySector(),
                      materialEnd(slot) - slot.keySector()));
        }
      }
    }
  }

  private static Bytes bytes(ByteBuffer header, int at, int length) {
    return Bytes.take(header.duplicate().position(at), length);
  }

  private static String name(ByteBuffer header, String what, int at) throws CorruptImageException {
    Bytes stored = bytes(header, at, NAME_LENGTH);
    if (stored.get(NAME_LENGTH - 1) != 0) {
      throw new CorruptImageException(
          "the LUKS header's %s does not end within %d bytes".formatted(what, NAME_LENGTH));
    }
    return stored.text();
  }
}
