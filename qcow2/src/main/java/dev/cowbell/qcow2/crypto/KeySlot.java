package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.CorruptImageException;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.Field;
import java.nio.ByteBuffer;

/**
 * One of a LUKS header's places for the master key, encrypted under a passphrase (LUKS 1 on-disk
 * format, "Key slot").
 *
 * @param active whether it holds the master key
 * @param iterations what PBKDF2 does with the passphrase; at least 1 when active
 * @param salt 32 bytes
 * @param keySector where the slot's key material starts, in sectors from the header
 */
public record KeySlot(boolean active, long iterations, Bytes salt, long keySector) {
  static final int LENGTH = 48;
  static final int SALT_LENGTH = 32;

  private static final long ENABLED = 0x00ac71f3;
  private static final long DISABLED = 0x0000dead;

  static final Field ACTIVE = Field.u32("active", 0);
  private static final Field ITERATIONS = Field.u32("iterations", 4);
  private static final int SALT = 8;
  private static final Field KEY_OFFSET = Field.u32("key_offset", 40);
  private static final Field STRIPES = Field.u32("stripes", 44);

  /** Reads the slot that starts at index 0 of a buffer. */
  static KeySlot decode(int number, ByteBuffer slot) throws CorruptImageException {
    long state = ACTIVE.get(slot);
    if (state != ENABLED && state != DISABLED) {
      throw new CorruptImageException(
          "key slot %d is in state 0x%x, allowed are 0x%x (active) and 0x%x (inactive)"
              .formatted(number, state, ENABLED, DISABLED));
    }
    long stripes = STRIPES.get(slot);
    if (stripes != AntiForensicSplitter.STRIPES) {
      throw new CorruptImageException(
          "key slot %d has %d stripes, allowed are %d"
              .formatted(number, stripes, AntiForensicSplitter.STRIPES));
    }
    long iterations = ITERATIONS.get(slot);
    if (state == ENABLED && iterations == 0) {
      throw new CorruptImageException(
          "key slot %d has 0 iterations, allowed is 1 or more".formatted(number));
    }
    Bytes salt = Bytes.take(slot.duplicate().position(SALT), SALT_LENGTH);
    return new KeySlot(state == ENABLED, iterations, salt, KEY_OFFSET.get(slot));
  }

  /** Puts the slot at index 0 of a buffer. */
  void encode(ByteBuffer slot) {
    ACTIVE.put(slot, active ? ENABLED : DISABLED);
    ITERATIONS.put(slot, iterations);
    slot.put(SALT, salt.toArray());
    KEY_OFFSET.put(slot, keySector);
    STRIPES.put(slot, AntiForensicSplitter.STRIPES);
  }

  /** The same place holding nothing. */
  KeySlot erased() {
    return new KeySlot(false, 0, Bytes.copyOf(new byte[SALT_LENGTH]), keySector);
  }

  /** The same content, taken for nothing until it is activated. */
  KeySlot inactive() {
    return new KeySlot(false, iterations, salt, keySector);
  }
}
