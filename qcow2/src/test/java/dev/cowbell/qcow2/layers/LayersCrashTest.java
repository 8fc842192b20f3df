package dev.cowbell.qcow2.layers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.ReferenceOpener;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.layers.LayerCommit.Afterwards;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.RefcountAudit;
import dev.cowbell.qcow2.testing.SmallImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(SeededRandom.class)
class LayersCrashTest {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 6);
  private static final RefcountAudit CLEAN = new RefcountAudit(0, 0);

  @Test
  void a_commit_loses_nothing_whenever_the_power_goes(Random random) throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      byte[] baseBytes = filled(small(random, ""), new byte[0], random);
      byte[] topBytes = filled(small(random, "base"), baseBytes, random);
      byte[] expected = shown(topBytes, baseBytes);
      CrashingHostFile base = new CrashingHostFile(baseBytes);
      CrashingHostFile top = new CrashingHostFile(topBytes);
      OpenOptions writing =
          options(Map.of("base", base)).withAccess(Access.READ_WRITE).withWrittenLayer(1);
      Later written = new Later(top, base);
      try (Qcow2Image image = Qcow2Image.adopt(written, writing)) {
        new LayerCommit(writing, LayerListener.NONE).run(image, 1, Afterwards.EMPTY);
      }

      assertThat(shown(top.content(), base.content())).isEqualTo(expected);
      assertThat(Arrays.copyOf(shown(base.content(), new byte[0]), expected.length))
          .isEqualTo(expected);
      assertThat(RefcountAudit.of(top.content())).isEqualTo(CLEAN);
      assertThat(RefcountAudit.of(base.content())).isEqualTo(CLEAN);
      // The image is changed only while all that is below it is flushed.
      base.forEachCrash(
          random,
          6,
          (left, flushes) -> {
            assertShows(topBytes, left, expected);
            if (flushes >= written.otherFlushes) {
              assertShows(top.content(), left, expected);
            }
          });
      top.forEachCrash(random, 6, (left, _) -> assertShows(left, base.content(), expected));
    }
  }

  @Test
  void a_rebase_changes_nothing_for_the_guest_whenever_the_power_goes(Random random)
      throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      byte[] oldBytes = filled(small(random, ""), new byte[0], random);
      byte[] newBytes = filled(small(random, ""), new byte[0], random);
      byte[] topBytes = filled(small(random, "base"), oldBytes, random);
      byte[] expected = shown(topBytes, oldBytes);
      CrashingHostFile top = new CrashingHostFile(topBytes);
      String name = "n".repeat(1 + random.nextInt(random.nextBoolean() ? 20 : 300));
      Map<String, HostFile> files =
          Map.of("base", file("old", oldBytes), name, file("new", newBytes));
      Optional<NewBacking> wanted =
          random.nextInt(3) == 0 ? Optional.empty() : Optional.of(new NewBacking(name, "qcow2"));
      OpenOptions options = options(files);
      try (Qcow2Image image = Qcow2Image.adopt(top, options.withAccess(Access.READ_WRITE))) {
        new LayerRebase(options, LayerListener.NONE).run(image, wanted, options);
      }

      assertThat(RefcountAudit.of(top.content())).isEqualTo(CLEAN);
      try (Qcow2Image image = Qcow2Image.adopt(file("top", top.content()), options)) {
        assertThat(image.head().backingFile()).isEqualTo(wanted.map(NewBacking::name));
        assertThat(read(image)).isEqualTo(expected);
      }
      top.forEachCrash(
          random,
          8,
          (left, _) -> {
            assertThat(RefcountAudit.of(left).corruptions()).isZero();
            try (Qcow2Image image = Qcow2Image.adopt(file("left", left), options)) {
              assertThat(read(image)).isEqualTo(expected);
            }
          });
    }
  }

  /** Does to a file what is done to it, once another one has nothing unflushed. */
  private static final class Later implements HostFile {
    private final HostFile file;
    private final CrashingHostFile other;

    /** The other file's flushes when this was changed last. */
    private int otherFlushes;

    Later(HostFile file, CrashingHostFile other) {
      this.file = file;
      this.other = other;
    }

    private void noteChange() {
      assertThat(other.isFlushed()).isTrue();
      otherFlushes = other.flushes();
    }

    @Override
    public String name() {
      return file.name();
    }

    @Override
    public long size() throws IOException {
      return file.size();
    }

    @Override
    public int read(long at, ByteBuffer dst) throws IOException {
      return file.read(at, dst);
    }

    @Override
    public void write(long at, ByteBuffer src) throws IOException {
      noteChange();
      file.write(at, src);
    }

    @Override
    public void resize(long size) throws IOException {
      noteChange();
      file.resize(size);
    }

    @Override
    public void punchHole(long at, long length) throws IOException {
      noteChange();
      file.punchHole(at, length);
    }

    @Override
    public void flush() throws IOException {
      file.flush();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  private static SmallImage small(Random random, String backing) {
    boolean extended = random.nextInt(4) == 0;
    int bits = extended ? 14 : 9 + random.nextInt(4);
    long size = ((extended ? 5L : 40L + random.nextInt(40)) << bits) + 512L * random.nextInt(5);
    return new SmallImage(
        bits,
        3 + random.nextInt(4),
        size,
        extended ? FeatureBits.NONE.with(Feature.EXTENDED_L2) : FeatureBits.NONE,
        backing,
        backing.isEmpty() ? List.of() : List.of(HeaderExtension.BackingFormat.of("qcow2")));
  }

  private static HostFile file(String name, byte[] bytes) {
    return new MemoryHostFile(name, bytes);
  }

  private static OpenOptions options(Map<String, HostFile> files) {
    ReferenceOpener references =
        reference -> Objects.requireNonNull(files.get(reference.filename()));
    return OpenOptions.strict().withReferences(references);
  }

  /** An image with some random content of its own. */
  private static byte[] filled(SmallImage small, byte[] base, Random random) throws IOException {
    CrashingHostFile file = new CrashingHostFile(small.bytes());
    OpenOptions options = options(Map.of("base", file("base", base)));
    try (Qcow2Image image = Qcow2Image.adopt(file, options.withAccess(Access.READ_WRITE))) {
      for (int i = 0; i < 6; i++) {
        int at = random.nextInt((int) image.size() / 512) * 512;
        int length = 512 * (1 + random.nextInt(((int) image.size() - at) / 512 / 3 + 1));
        length = (int) Math.min(length, image.size() - at);
        if (random.nextInt(3) == 0) {
          image.writeZeroes(at, length, ZeroSpace.MAY_FREE);
        } else {
          byte[] bytes = new byte[length];
          Arrays.fill(bytes, (byte) (1 + random.nextInt(255)));
          image.write(at, ByteBuffer.wrap(bytes));
        }
      }
    }
    return file.content();
  }

  private static byte[] shown(byte[] top, byte[] base) throws IOException {
    OpenOptions options = options(Map.of("base", file("base", base)));
    try (Qcow2Image image = Qcow2Image.adopt(file("top", top), options)) {
      return read(image);
    }
  }

  private static byte[] read(Qcow2Image image) throws IOException {
    byte[] shown = new byte[(int) image.size()];
    image.read(0, ByteBuffer.wrap(shown));
    return shown;
  }

  private static void assertShows(byte[] top, byte[] base, byte[] expected) throws Exception {
    assertThat(RefcountAudit.of(top).corruptions()).isZero();
    assertThat(RefcountAudit.of(base).corruptions()).isZero();
    assertThat(shown(top, base)).isEqualTo(expected);
  }
}
