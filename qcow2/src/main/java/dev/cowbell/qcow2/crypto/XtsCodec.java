package dev.cowbell.qcow2.crypto;

/** XTS (IEEE 1619): all tweaks first, then one pass of AES over the whole run. */
final class XtsCodec extends SectorCodec {
  /** The field's polynomial x^128 + x^7 + x^2 + x + 1 without its highest term. */
  private static final long POLYNOMIAL = 0x87;

  private final AesBlocks tweakCipher;
  private final byte[] tweaks = new byte[MAX_SECTORS * SECTOR];
  private final byte[] firstTweaks = new byte[MAX_SECTORS * BLOCK];

  XtsCodec(SectorIvs ivs, AesBlocks aes, AesBlocks tweakCipher) {
    super(ivs, aes);
    this.tweakCipher = tweakCipher;
  }

  @Override
  void encrypt(long firstSector, byte[] data, int at, int sectors) {
    int length = sectors * SECTOR;
    fillTweaks(firstSector, sectors);
    xor(data, at, tweaks, 0, work, 0, length);
    aes.encrypt(work, 0, length, data, at);
    xor(data, at, tweaks, 0, data, at, length);
  }

  @Override
  void decrypt(long firstSector, byte[] data, int at, int sectors) {
    int length = sectors * SECTOR;
    fillTweaks(firstSector, sectors);
    xor(data, at, tweaks, 0, work, 0, length);
    aes.decrypt(work, 0, length, data, at);
    xor(data, at, tweaks, 0, data, at, length);
  }

  /** Each block's tweak is the one before it, multiplied by x in GF(2^128). */
  private void fillTweaks(long firstSector, int sectors) {
    ivs.fill(firstSector, sectors, iv);
    tweakCipher.encrypt(iv, 0, sectors * BLOCK, firstTweaks, 0);
    for (int sector = 0; sector < sectors; sector++) {
      long low = (long) LONG.get(firstTweaks, sector * BLOCK);
      long high = (long) LONG.get(firstTweaks, sector * BLOCK + Long.BYTES);
      int end = (sector + 1) * SECTOR;
      for (int at = sector * SECTOR; at < end; at += BLOCK) {
        LONG.set(tweaks, at, low);
        LONG.set(tweaks, at + Long.BYTES, high);
        long carry = high >> 63;
        high = (high << 1) | (low >>> 63);
        low = (low << 1) ^ (carry & POLYNOMIAL);
      }
    }
  }
}
