package dev.cowbell.it.fuzz;

import dev.cowbell.qcow2.crypto.IterationTime;
import dev.cowbell.qcow2.crypto.KeySlot;
import dev.cowbell.qcow2.crypto.LuksArea;
import dev.cowbell.qcow2.crypto.LuksHeader;
import dev.cowbell.qcow2.crypto.LuksOptions;
import dev.cowbell.qcow2.crypto.MasterKey;
import dev.cowbell.qcow2.crypto.NewLuks;
import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.HeaderBuilder;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A LUKS header. What lies behind it is zero, so that an input is a few hundred bytes long; no
 * passphrase can open it.
 */
final class LuksTarget {
  /** The bytes of a LUKS 1 header, its key slots included. */
  private static final int HEADER_LENGTH = 592;

  private static final long AREA = 1 << 16;
  private static final long AREA_LENGTH = 2 << 20;

  /** Unlocking costs what the header says; this much is enough for here. */
  private static final long MAX_ITERATIONS = 2000;

  private LuksTarget() {}

  static void run(byte[] input) throws IOException {
    MemoryHostFile file = new MemoryHostFile("fuzzed");
    file.write(AREA, ByteBuffer.wrap(input));
    file.resize(AREA + AREA_LENGTH);
    LuksArea area = LuksArea.open(file, head());
    LuksHeader header = area.header();
    long iterations = header.digestIterations();
    for (KeySlot slot : header.slots()) {
      iterations += slot.active() ? slot.iterations() : 0;
    }
    if (iterations <= MAX_ITERATIONS) {
      try (Passphrase passphrase = passphrase();
          MasterKey _ = area.unlock(passphrase)) {
        throw new AssertionError("noise was taken for a key");
      }
    }
  }

  private static ImageHead head() {
    return new ImageHead(
        new HeaderBuilder().cryptMethod(CryptMethod.LUKS).size(1 << 20).build(),
        List.of(HeaderExtension.FullDiskEncryption.of(AREA, AREA_LENGTH)),
        Bytes.EMPTY);
  }

  private static Passphrase passphrase() {
    return Passphrase.adopt("geheim".getBytes(StandardCharsets.UTF_8));
  }

  static List<byte[]> seeds() {
    List<byte[]> seeds = new ArrayList<>();
    try (Passphrase passphrase = passphrase()) {
      for (String[] kind :
          new String[][] {
            {"aes-256", "xts", "plain64", "sha256"},
            {"aes-128", "cbc", "essiv", "sha1"},
            {"aes-192", "xts", "plain", "sha512"}
          }) {
        LuksOptions options =
            LuksOptions.parse(
                Map.of(
                    "cipher-alg", kind[0],
                    "cipher-mode", kind[1],
                    "ivgen-alg", kind[2],
                    "hash-alg", kind[3],
                    "iter-time", Long.toString(IterationTime.ofMillis(1).time().toMillis())));
        try (NewLuks luks = NewLuks.create(options, passphrase)) {
          byte[] header = new byte[HEADER_LENGTH];
          luks.area().get(header);
          seeds.add(header);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return seeds;
  }
}
