package dev.cowbell.qcow2.crypto;

import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The initialisation vectors of a run of sectors. Not for concurrent use. */
final class SectorIvs {
  private static final VarHandle LONG = SectorCodec.LONG;
  private static final long LOW_32_BITS = 0xffff_ffffL;

  private final long mask;
  private final @Nullable AesBlocks essiv;
  private final byte[] numbers = new byte[SectorCodec.MAX_SECTORS * AesBlocks.BLOCK];

  private SectorIvs(long mask, @Nullable AesBlocks essiv) {
    this.mask = mask;
    this.essiv = essiv;
  }

  /**
   * @param key the whole key that the data is encrypted under
   */
  static SectorIvs of(CipherSpec spec, byte[] key) {
    Optional<HashAlgorithm> hash = spec.ivHash();
    if (hash.isPresent()) {
      byte[] salt = hash.get().newDigest().digest(key);
      AesBlocks essiv = new AesBlocks(salt);
      Arrays.fill(salt, (byte) 0);
      return new SectorIvs(-1, essiv);
    }
    return new SectorIvs(spec.ivGenerator() == IvGenerator.PLAIN ? LOW_32_BITS : -1, null);
  }

  /** Puts the IVs of {@code sectors} sectors, 16 bytes each, at the start of an array. */
  void fill(long firstSector, int sectors, byte[] ivs) {
    for (int i = 0; i < sectors; i++) {
      LONG.set(ivs, i * AesBlocks.BLOCK, (firstSector + i) & mask);
      LONG.set(ivs, i * AesBlocks.BLOCK + Long.BYTES, 0L);
    }
    if (essiv != null) {
      System.arraycopy(ivs, 0, numbers, 0, sectors * AesBlocks.BLOCK);
      essiv.encrypt(numbers, 0, sectors * AesBlocks.BLOCK, ivs, 0);
    }
  }
}
