package dev.cowbell.qcow2.write;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.build.CopyListener;
import dev.cowbell.qcow2.build.DiskCopy;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.build.NewQcow2Image;
import dev.cowbell.qcow2.crypto.LuksOptions;
import dev.cowbell.qcow2.crypto.NewLuks;
import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.crypto.Passphrases;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.RefcountAudit;
import dev.cowbell.qcow2.testing.SmallImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Encrypted sectors can't be written in part, and move to another place under another IV. */
@ExtendWith(SeededRandom.class)
class EncryptedCrashTest {
  private static final int ROUNDS = Math.ceilDiv(Integer.getInteger("cowbell.rounds", 5), 4);
  private static final int SECTOR = 512;

  private static Passphrase passphrase() {
    return Passphrase.adopt("secret".getBytes(StandardCharsets.UTF_8));
  }

  private static byte[] image(CryptMethod method, int diskSize) throws Exception {
    return method == CryptMethod.LUKS ? luks(diskSize) : legacyAes(diskSize);
  }

  private static byte[] legacyAes(int diskSize) throws IOException {
    byte[] bytes = new SmallImage(9, 4, diskSize).bytes();
    Qcow2Image.readHead(new MemoryHostFile("image", bytes))
        .header()
        .change()
        .cryptMethod(CryptMethod.AES)
        .build()
        .encode(ByteBuffer.wrap(bytes));
    return bytes;
  }

  private static byte[] luks(int diskSize) throws Exception {
    MemoryHostFile file = new MemoryHostFile("new");
    LuksOptions options = LuksOptions.parse(Map.of("iter-time", "1", "cipher-alg", "aes-128"));
    try (Passphrase passphrase = passphrase();
        NewLuks luks = NewLuks.create(options, passphrase);
        RawDisk empty = RawDisk.adopt(new MemoryHostFile("empty", new byte[diskSize]))) {
      NewQcow2Image target =
          new NewQcow2Image(file, diskSize, NewImageOptions.DEFAULT, Optional.of(luks));
      DiskCopy.of(empty, target, CopyListener.NONE).run();
    }
    byte[] bytes = new byte[(int) file.size()];
    file.read(0, ByteBuffer.wrap(bytes));
    return bytes;
  }

  private static Qcow2Image open(HostFile file, Passphrase passphrase, Access access)
      throws IOException {
    return Qcow2Image.adopt(
        file, OpenOptions.strict().withPassphrases(Passphrases.of(passphrase)).withAccess(access));
  }

  @ParameterizedTest
  @EnumSource(
      value = CryptMethod.class,
      names = {"AES", "LUKS"})
  void leaves_flushed_data_and_at_most_leaks_after_any_crash(CryptMethod method, Random random)
      throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      int diskSize = method == CryptMethod.LUKS ? 500_224 : 100 * SECTOR;
      CrashingHostFile file = new CrashingHostFile(image(method, diskSize));
      WrittenDisk model = new WrittenDisk(new byte[diskSize], SECTOR);
      try (Passphrase passphrase = passphrase();
          Qcow2Image image = open(file, passphrase, Access.READ_WRITE)) {
        for (int i = 0; i < 12; i++) {
          model.change(image, random);
          if (random.nextInt(4) == 0) {
            image.flush();
            model.flushed(file.flushes());
          }
        }
        model.assertShownBy(image);
      }
      model.flushed(file.flushes());
      file.forEachCrash(
          random,
          2,
          (left, flushes) -> {
            assertThat(RefcountAudit.of(left).corruptions()).isZero();
            try (Passphrase passphrase = passphrase();
                Qcow2Image image =
                    open(new MemoryHostFile("left", left), passphrase, Access.READ_ONLY)) {
              model.assertLeftBy(flushes, image);
            }
          });
    }
  }
}
