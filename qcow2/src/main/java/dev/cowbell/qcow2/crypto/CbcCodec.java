package dev.cowbell.qcow2.crypto;

/**
 * CBC, chained anew in every sector. Decryption is one pass of AES over the run. Encryption goes
 * through all sectors of the run at once, since within one sector each block waits for the last.
 */
final class CbcCodec extends SectorCodec {

  CbcCodec(SectorIvs ivs, AesBlocks aes) {
    super(ivs, aes);
  }

  @Override
  void encrypt(long firstSector, byte[] data, int at, int sectors) {
    ivs.fill(firstSector, sectors, iv);
    for (int block = at; block < at + SECTOR; block += BLOCK) {
      for (int sector = 0; sector < sectors; sector++) {
        xor(iv, sector * BLOCK, data, block + sector * SECTOR, work, sector * BLOCK, BLOCK);
      }
      aes.encrypt(work, 0, sectors * BLOCK, iv, 0);
      for (int sector = 0; sector < sectors; sector++) {
        System.arraycopy(iv, sector * BLOCK, data, block + sector * SECTOR, BLOCK);
      }
    }
  }

  @Override
  void decrypt(long firstSector, byte[] data, int at, int sectors) {
    int length = sectors * SECTOR;
    ivs.fill(firstSector, sectors, iv);
    System.arraycopy(data, at, work, 0, length);
    aes.decrypt(work, 0, length, data, at);
    for (int begin = 0; begin < length; begin += SECTOR) {
      int place = at + begin;
      xor(data, place, iv, begin / SECTOR * BLOCK, data, place, BLOCK);
      xor(data, place + BLOCK, work, begin, data, place + BLOCK, SECTOR - BLOCK);
    }
  }
}
