package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.HeaderBuilder;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A LUKS area in memory, behind a first cluster of zeroes, that costs little to unlock. */
final class LuksImages {
  static final int CLUSTER = 1 << 16;
  static final long ITERATIONS = 3;

  private LuksImages() {}

  static Passphrase passphrase(String text) {
    return Passphrase.adopt(text.getBytes(StandardCharsets.UTF_8));
  }

  /** A header that points at an area in the second cluster. */
  static ImageHead head(long areaLength) {
    return new ImageHead(
        new HeaderBuilder().cryptMethod(CryptMethod.LUKS).build(),
        List.of(HeaderExtension.FullDiskEncryption.of(CLUSTER, areaLength)),
        Bytes.EMPTY);
  }

  /** The bytes of a file that such a header belongs to. */
  static byte[] file(LuksOptions options, String passphrase) {
    try (Passphrase opened = passphrase(passphrase);
        NewLuks made = NewLuks.create(options, opened, ITERATIONS, ITERATIONS)) {
      ByteBuffer area = made.area();
      byte[] file = new byte[CLUSTER + area.remaining()];
      area.get(file, CLUSTER, area.remaining());
      return file;
    }
  }
}
