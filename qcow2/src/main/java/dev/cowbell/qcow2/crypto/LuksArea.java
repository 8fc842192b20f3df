package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.EncryptedImageException;
import dev.cowbell.qcow2.ImageException;
import dev.cowbell.qcow2.KeySlotException;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.WrongPassphraseException;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SplittableRandom;

/**
 * The LUKS header and its key material inside an image (specification: "Full disk encryption header
 * pointer"). Reads are for concurrent use; changes need the image's lock and one caller at a time.
 *
 * <p>A change to a slot commits with a write of four bytes, the slot's state. Before it, a slot
 * being added is inactive; after it, a slot being erased is. So no crash leaves a slot that looks
 * usable and isn't, which would count when the last usable one is erased.
 */
public final class LuksArea {

  /** How often QEMU and cryptsetup overwrite erased key material. */
  private static final int ERASURES = 40;

  private static final int STATE_LENGTH = 4;

  private final HostFile file;
  private final long offset;
  private final long length;
  private final SecureRandom random = new SecureRandom();
  private volatile LuksHeader header;

  private LuksArea(HostFile file, long offset, long length, LuksHeader header) {
    this.file = file;
    this.offset = offset;
    this.length = length;
    this.header = header;
  }

  /**
   * Reads and checks the header of a LUKS image. Nothing is allocated by what it claims.
   *
   * @throws CorruptImageException if the place or the header breaks a rule
   * @throws UnsupportedFeatureException if it uses something unknown here
   */
  public static LuksArea open(HostFile file, ImageHead head) throws IOException {
    Optional<HeaderExtension.FullDiskEncryption> pointer =
        head.extension(HeaderExtension.FullDiskEncryption.class);
    if (head.header().cryptMethod() != CryptMethod.LUKS || pointer.isEmpty()) {
      throw new CorruptImageException(
          "the crypt_method is %s and %s header extension says where a LUKS header is"
              .formatted(head.header().cryptMethod(), pointer.isEmpty() ? "no" : "a"));
    }
    long offset = pointer.get().offset();
    long length = pointer.get().length();
    long cluster = 1L << head.header().clusterBits();
    if (offset <= 0 || offset % cluster != 0 || length < LuksHeader.LENGTH || offset + length < 0) {
      throw new CorruptImageException(
          "the LUKS header has %s bytes at offset %s, allowed are %d or more at multiples of %d"
              .formatted(
                  Long.toUnsignedString(length),
                  Long.toUnsignedString(offset),
                  LuksHeader.LENGTH,
                  cluster));
    }
    ByteBuffer bytes = ByteBuffer.allocate(LuksHeader.LENGTH);
    readFully(file, offset, bytes, "the LUKS header");
    return new LuksArea(file, offset, length, LuksHeader.decode(bytes));
  }

  /** The header as it now is. */
  public LuksHeader header() {
    return header;
  }

  /**
   * Finds the master key with a passphrase, trying the active slots in their order.
   *
   * @throws WrongPassphraseException if it opens none of them
   * @throws EncryptedImageException if no slot is active, so that nothing ever will
   * @throws UnsupportedFeatureException if the slots ask for more work than can be meant
   */
  public MasterKey unlock(Passphrase passphrase) throws IOException {
    List<Integer> active = header.activeSlots();
    if (active.isEmpty()) {
      throw new EncryptedImageException(
          "none of the %d key slots is active: no passphrase can open the image"
              .formatted(LuksHeader.SLOTS));
    }
    long rounds = 0;
    for (int slot : active) {
      rounds = checkedRounds(slot, rounds);
      Optional<MasterKey> key = tryUnlock(slot, passphrase);
      if (key.isPresent()) {
        return key.get();
      }
    }
    throw wrongPassphrase(passphrase, active.size());
  }

  /**
   * The active slots that a passphrase opens.
   *
   * @throws WrongPassphraseException if there is none
   */
  public List<Integer> slotsOpenedBy(Passphrase passphrase) throws IOException {
    List<Integer> opened = new ArrayList<>();
    List<Integer> active = header.activeSlots();
    long rounds = 0;
    for (int slot : active) {
      rounds = checkedRounds(slot, rounds);
      Optional<MasterKey> key = tryUnlock(slot, passphrase);
      if (key.isPresent()) {
        key.get().close();
        opened.add(slot);
      }
    }
    if (opened.isEmpty()) {
      throw wrongPassphrase(passphrase, active.size());
    }
    return opened;
  }

  /**
   * Lets another passphrase open the image. When this returns it is on stable storage.
   *
   * @param key from {@link #unlock} of this area
   * @param wanted the slot to use; without it the first inactive one
   * @return the slot that was used
   * @throws KeySlotException if the wanted slot, or every slot, is active already
   */
  public int addSlot(MasterKey key, Passphrase passphrase, IterationTime time, OptionalInt wanted)
      throws IOException {
    long iterations = time.iterations(header.hash(), header.cipher().keyLength());
    return addSlot(key, passphrase, iterations, wanted);
  }

  int addSlot(MasterKey key, Passphrase passphrase, long iterations, OptionalInt wanted)
      throws IOException {
    int number = slotForAdding(wanted);
    KeySlotCipher cipher = slotCipher();
    checkKey(cipher, key);
    byte[] salt = new byte[KeySlot.SALT_LENGTH];
    random.nextBytes(salt);
    KeySlot slot =
        new KeySlot(true, iterations, Bytes.copyOf(salt), header.slots().get(number).keySector());
    checkInside(number, slot);
    byte[] material = cipher.lock(key, passphrase, slot, random);
    write(number, slot.inactive());
    file.write(materialOffset(slot), ByteBuffer.wrap(material));
    file.flush();
    writeState(number, slot);
    return number;
  }

  /**
   * Makes a slot's passphrase useless and overwrites its key material. Erasing an inactive slot
   * finishes what an interrupted erasure left. When this returns it is on stable storage; a
   * copy-on-write file system or a disk's spare blocks may still hold what was there.
   *
   * @param evenTheLast allows to erase the only active slot, which makes the image's data
   *     unreadable for ever
   * @throws KeySlotException if it is the only active slot
   */
  public void eraseSlot(int number, boolean evenTheLast) throws IOException {
    checkNumber(number);
    KeySlot slot = header.slots().get(number);
    if (!evenTheLast && header.activeSlots().equals(List.of(number))) {
      throw new KeySlotException(
          "key slot %d is the only active one: without it nothing can read the image's data"
              .formatted(number));
    }
    checkInside(number, slot);
    KeySlot erased = slot.erased();
    writeState(number, erased);
    write(number, erased);
    byte[] noise = new byte[header.materialLength()];
    SplittableRandom generator = new SplittableRandom(random.nextLong());
    for (int i = 0; i < ERASURES; i++) {
      generator.nextBytes(noise);
      file.write(materialOffset(slot), ByteBuffer.wrap(noise));
      file.flush();
    }
  }

  private Optional<MasterKey> tryUnlock(int number, Passphrase passphrase) throws IOException {
    KeySlot slot = header.slots().get(number);
    checkInside(number, slot);
    byte[] material = new byte[header.materialLength()];
    readFully(
        file, materialOffset(slot), ByteBuffer.wrap(material), "key material of slot " + number);
    byte[] key = slotCipher().unlock(material, passphrase, slot);
    return slotCipher().verify(key, header);
  }

  private long checkedRounds(int number, long before) throws UnsupportedFeatureException {
    KeySlot slot = header.slots().get(number);
    long rounds = before + slotCipher().rounds(slot, header.digestIterations());
    if (rounds > IterationTime.MAX_ROUNDS) {
      throw new UnsupportedFeatureException(
          "up to key slot %d (%d iterations, the digest %d) unlocking takes %d rounds, allowed are %d"
              .formatted(
                  number,
                  slot.iterations(),
                  header.digestIterations(),
                  rounds,
                  IterationTime.MAX_ROUNDS));
    }
    return rounds;
  }

  private int slotForAdding(OptionalInt wanted) throws KeySlotException {
    if (wanted.isPresent()) {
      int number = wanted.getAsInt();
      checkNumber(number);
      if (header.slots().get(number).active()) {
        throw new KeySlotException(
            "key slot %d is active: erase it first or use another".formatted(number));
      }
      return number;
    }
    for (int i = 0; i < LuksHeader.SLOTS; i++) {
      if (!header.slots().get(i).active()) {
        return i;
      }
    }
    throw new KeySlotException(
        "all %d key slots are active: erase one first".formatted(LuksHeader.SLOTS));
  }

  private void checkKey(KeySlotCipher cipher, MasterKey key) {
    Optional<MasterKey> verified = cipher.verify(key.bytes().clone(), header);
    verified
        .orElseThrow(() -> new IllegalArgumentException("the master key of another image"))
        .close();
  }

  private static void checkNumber(int slot) throws KeySlotException {
    if (slot < 0 || slot >= LuksHeader.SLOTS) {
      throw new KeySlotException(
          "there is no key slot %d, allowed are 0 to %d".formatted(slot, LuksHeader.SLOTS - 1));
    }
  }

  private void checkInside(int number, KeySlot slot) throws CorruptImageException {
    long end = header.materialEnd(slot) * SectorCipher.SECTOR;
    if (end > length) {
      throw new CorruptImageException(
          "the key material of slot %d ends at byte %d of the LUKS header, which has %d"
              .formatted(number, end, length));
    }
  }

  private void write(int number, KeySlot slot) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(KeySlot.LENGTH);
    slot.encode(bytes);
    file.write(offset + LuksHeader.slotOffset(number), bytes);
    header = header.withSlot(number, slot);
  }

  private void writeState(int number, KeySlot slot) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(KeySlot.LENGTH);
    slot.encode(bytes);
    bytes.position(KeySlot.ACTIVE.offset()).limit(STATE_LENGTH);
    file.write(offset + LuksHeader.slotOffset(number), bytes);
    file.flush();
    header = header.withSlot(number, slot);
  }

  private long materialOffset(KeySlot slot) {
    return offset + slot.keySector() * SectorCipher.SECTOR;
  }

  private KeySlotCipher slotCipher() {
    return new KeySlotCipher(header.cipher(), header.hash());
  }

  private static ImageException wrongPassphrase(Passphrase passphrase, int active) {
    return new WrongPassphraseException(
        "the passphrase%s opens none of the %d active key slots"
            .formatted(passphrase.hint(), active));
  }

  private static void readFully(HostFile file, long at, ByteBuffer bytes, String what)
      throws IOException {
    int wanted = bytes.remaining();
    int found = file.read(at, bytes);
    if (found != wanted) {
      throw new CorruptImageException(
          "%s needs %d bytes at offset %d, the file has %d there"
              .formatted(what, wanted, at, found));
    }
  }
}
