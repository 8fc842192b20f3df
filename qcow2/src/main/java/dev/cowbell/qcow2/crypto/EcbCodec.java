package dev.cowbell.qcow2.crypto;

/** ECB: every block by itself, whatever its sector. */
final class EcbCodec extends SectorCodec {

  EcbCodec(SectorIvs ivs, AesBlocks aes) {
    super(ivs, aes);
  }

  @Override
  void encrypt(long firstSector, byte[] data, int at, int sectors) {
    System.arraycopy(data, at, work, 0, sectors * SECTOR);
    aes.encrypt(work, 0, sectors * SECTOR, data, at);
  }

  @Override
  void decrypt(long firstSector, byte[] data, int at, int sectors) {
    System.arraycopy(data, at, work, 0, sectors * SECTOR);
    aes.decrypt(work, 0, sectors * SECTOR, data, at);
  }
}
