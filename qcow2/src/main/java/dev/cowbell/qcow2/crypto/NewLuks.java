package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.HeaderExtension;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;

/**
 * A LUKS header with key material and a fresh master key, for an image that is being made.
 *
 * <p>Whoever makes the image puts {@link #area()} into clusters of its own that follow each other
 * in the file, counts references for them, leaves the rest of the last one zero, sets {@code
 * crypt_method} to LUKS, adds {@link #pointer} to the header's extensions and encrypts data
 * clusters (compressed ones stay plain) with {@link ImageCipher#luks}.
 */
public final class NewLuks implements AutoCloseable {

  /** The sectors that slots are aligned to, as QEMU and cryptsetup do. */
  private static final int ALIGNMENT = 4096 / SectorCipher.SECTOR;

  private final byte[] area;
  private final MasterKey key;

  private NewLuks(byte[] area, MasterKey key) {
    this.area = area;
    this.key = key;
  }

  /** The bytes that {@link #area()} will have: about 2 MB. */
  public static long areaLength(CipherSpec cipher) {
    return payloadSector(cipher) * SectorCipher.SECTOR;
  }

  /** Makes a master key that the passphrase opens through slot 0; takes as long as options say. */
  public static NewLuks create(LuksOptions options, Passphrase passphrase) {
    IterationTime time = options.time();
    return create(
        options,
        passphrase,
        time.iterations(options.hash(), options.cipher().keyLength()),
        time.digestIterations(options.hash()));
  }

  static NewLuks create(
      LuksOptions options, Passphrase passphrase, long iterations, long digestIterations) {
    SecureRandom random = new SecureRandom();
    CipherSpec cipher = options.cipher();
    KeySlotCipher slotCipher = new KeySlotCipher(cipher, options.hash());
    byte[] keyBytes = new byte[cipher.keyLength()];
    random.nextBytes(keyBytes);
    MasterKey key = MasterKey.adopt(cipher, keyBytes);
    List<KeySlot> slots = new ArrayList<>();
    slots.add(new KeySlot(true, iterations, salt(random), keySector(cipher, 0)));
    for (int i = 1; i < LuksHeader.SLOTS; i++) {
      Bytes noSalt = Bytes.copyOf(new byte[KeySlot.SALT_LENGTH]);
      slots.add(new KeySlot(false, 0, noSalt, keySector(cipher, i)));
    }
    Bytes digestSalt = salt(random);
    LuksHeader header =
        new LuksHeader(
            cipher,
            options.hash(),
            payloadSector(cipher),
            slotCipher.digest(keyBytes, digestSalt, digestIterations),
            digestSalt,
            digestIterations,
            UUID.randomUUID().toString(),
            slots);
    byte[] area = new byte[Math.toIntExact(areaLength(cipher))];
    header.encode(ByteBuffer.wrap(area));
    byte[] material = slotCipher.lock(key, passphrase, slots.getFirst(), random);
    int at = Math.toIntExact(slots.getFirst().keySector() * SectorCipher.SECTOR);
    System.arraycopy(material, 0, area, at, material.length);
    return new NewLuks(area, key);
  }

  /** Header and key material, to be written to the image as they are. */
  public ByteBuffer area() {
    return ByteBuffer.wrap(area).asReadOnlyBuffer();
  }

  /**
   * The header extension that makes the area known.
   *
   * @param offset the host offset that the area was written to; a multiple of the cluster size
   */
  public HeaderExtension.FullDiskEncryption pointer(long offset) {
    return HeaderExtension.FullDiskEncryption.of(offset, area.length);
  }

  /** The key that data is to be encrypted under; closed with this. */
  public MasterKey key() {
    return key;
  }

  @Override
  public void close() {
    key.close();
    Arrays.fill(area, (byte) 0);
  }

  private static long keySector(CipherSpec cipher, int slot) {
    int length = cipher.keyLength() * AntiForensicSplitter.STRIPES;
    int sectors = Math.ceilDiv(length, SectorCipher.SECTOR);
    return ALIGNMENT + (long) slot * Math.ceilDiv(sectors, ALIGNMENT) * ALIGNMENT;
  }

  private static long payloadSector(CipherSpec cipher) {
    return keySector(cipher, LuksHeader.SLOTS);
  }

  private static Bytes salt(SecureRandom random) {
    byte[] salt = new byte[KeySlot.SALT_LENGTH];
    random.nextBytes(salt);
    return Bytes.copyOf(salt);
  }
}
