package dev.cowbell.qcow2.crypto;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** CTR: a sector's IV is the big-endian 128-bit counter of its first block. */
final class CtrCodec extends SectorCodec {
  private static final VarHandle BIG_ENDIAN_LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private final byte[] stream = new byte[MAX_SECTORS * SECTOR];

  CtrCodec(SectorIvs ivs, AesBlocks aes) {
    super(ivs, aes);
  }

  @Override
  void encrypt(long firstSector, byte[] data, int at, int sectors) {
    int length = sectors * SECTOR;
    ivs.fill(firstSector, sectors, iv);
    for (int sector = 0; sector < sectors; sector++) {
      long high = (long) BIG_ENDIAN_LONG.get(iv, sector * BLOCK);
      long low = (long) BIG_ENDIAN_LONG.get(iv, sector * BLOCK + Long.BYTES);
      int end = (sector + 1) * SECTOR;
      for (int place = sector * SECTOR; place < end; place += BLOCK) {
        BIG_ENDIAN_LONG.set(work, place, high);
        BIG_ENDIAN_LONG.set(work, place + Long.BYTES, low);
        low++;
        if (low == 0) {
          high++;
        }
      }
    }
    aes.encrypt(work, 0, length, stream, 0);
    xor(data, at, stream, 0, data, at, length);
  }

  @Override
  void decrypt(long firstSector, byte[] data, int at, int sectors) {
    encrypt(firstSector, data, at, sectors);
  }
}
