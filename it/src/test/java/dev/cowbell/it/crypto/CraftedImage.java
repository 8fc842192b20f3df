package dev.cowbell.it.crypto;

import dev.cowbell.qcow2.crypto.ImageCipher;
import dev.cowbell.qcow2.crypto.LuksOptions;
import dev.cowbell.qcow2.crypto.NewLuks;
import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.HeaderBuilder;
import dev.cowbell.qcow2.format.ImageHead;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The smallest LUKS image that holds data, laid out by hand: header, refcounts, L1, L2, one cluster
 * of data, and the LUKS area at the end.
 */
final class CraftedImage {
  static final int CLUSTER = 1 << 16;
  static final long SIZE = 4 << 20;

  /** Where on the guest's disk the data is, and what byte it is made of. */
  static final long DATA_AT = CLUSTER;

  static final int DATA_BYTE = 0x5a;

  private static final int REFCOUNT_TABLE = 1;
  private static final int REFCOUNT_BLOCK = 2;
  private static final int L1 = 3;
  private static final int L2 = 4;
  private static final int DATA = 5;
  private static final int AREA = 6;
  private static final long COPIED = 1L << 63;

  private CraftedImage() {}

  static void write(Path path, LuksOptions options, String passphrase) throws IOException {
    try (Passphrase opened = Disks.passphrase(passphrase);
        NewLuks luks = NewLuks.create(options, opened);
        ImageCipher cipher = ImageCipher.luks(luks.key())) {
      int areaClusters = Math.ceilDiv(luks.area().remaining(), CLUSTER);
      ByteBuffer image = ByteBuffer.allocate((AREA + areaClusters) * CLUSTER);
      ImageHead head =
          new ImageHead(
              new HeaderBuilder()
                  .size(SIZE)
                  .cryptMethod(CryptMethod.LUKS)
                  .refcountTable(offset(REFCOUNT_TABLE), 1)
                  .l1Table(offset(L1), 1)
                  .build(),
              List.of(luks.pointer(offset(AREA))),
              Bytes.EMPTY);
      image.put(head.encode());
      image.putLong((int) offset(REFCOUNT_TABLE), offset(REFCOUNT_BLOCK));
      for (int i = 0; i < AREA + areaClusters; i++) {
        image.putShort((int) offset(REFCOUNT_BLOCK) + 2 * i, (short) 1);
      }
      image.putLong((int) offset(L1), offset(L2) | COPIED);
      image.putLong((int) offset(L2) + Long.BYTES, offset(DATA) | COPIED);
      for (int i = 0; i < CLUSTER; i++) {
        image.put((int) offset(DATA) + i, (byte) DATA_BYTE);
      }
      cipher.encrypt(DATA_AT, offset(DATA), image.slice((int) offset(DATA), CLUSTER));
      image.put((int) offset(AREA), luks.area(), 0, luks.area().remaining());
      Files.write(path, image.array());
    }
  }

  private static long offset(int cluster) {
    return (long) cluster * CLUSTER;
  }
}
