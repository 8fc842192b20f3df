package dev.cowbell.qcow2.write;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.HeaderExtension;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import dev.cowbell.qcow2.testing.CrashingHostFile;
import dev.cowbell.qcow2.testing.SmallImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** An image and its data file are flushed one after the other, and a crash hits both. */
@ExtendWith(SeededRandom.class)
class DataFileCrashTest {
  private static final int ROUNDS = Integer.getInteger("cowbell.rounds", 5);

  private static OpenOptions options(HostFile dataFile) {
    return OpenOptions.strict().withReferences(_ -> dataFile).withAccess(Access.READ_WRITE);
  }

  /** Notes with each flush of the image how often the data file had been flushed by then. */
  private static final class Noted implements HostFile {
    private final CrashingHostFile image;
    private final CrashingHostFile data;
    private final List<Integer> dataFlushes = new ArrayList<>(List.of(0));

    Noted(CrashingHostFile image, CrashingHostFile data) {
      this.image = image;
      this.data = data;
    }

    @Override
    public String name() {
      return "image";
    }

    @Override
    public long size() {
      return image.size();
    }

    @Override
    public int read(long at, ByteBuffer dst) throws IOException {
      return image.read(at, dst);
    }

    @Override
    public void write(long at, ByteBuffer src) throws IOException {
      image.write(at, src);
    }

    @Override
    public void resize(long size) throws IOException {
      image.resize(size);
    }

    @Override
    public void punchHole(long at, long length) throws IOException {
      image.punchHole(at, length);
    }

    @Override
    public void flush() throws IOException {
      image.flush();
      dataFlushes.add(data.flushes());
    }

    @Override
    public void close() {}
  }

  @Test
  void leaves_flushed_data_after_a_crash_of_image_and_data_file(Random random) throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      SmallImage small =
          new SmallImage(
              9,
              4,
              100L << 9,
              FeatureBits.NONE.with(Feature.EXTERNAL_DATA_FILE),
              "",
              List.of(HeaderExtension.ExternalDataFile.of("data")));
      CrashingHostFile file = new CrashingHostFile(small.bytes());
      CrashingHostFile data = new CrashingHostFile(new byte[(int) small.diskSize()]);
      Noted noted = new Noted(file, data);
      WrittenDisk model = new WrittenDisk(new byte[(int) small.diskSize()], 512);
      try (Qcow2Image image = Qcow2Image.adopt(noted, options(data))) {
        for (int i = 0; i < 15; i++) {
          model.change(image, random);
          if (random.nextInt(4) == 0) {
            image.flush();
            model.flushed(file.flushes());
          }
        }
      }
      model.flushed(file.flushes());
      Map<Integer, List<byte[]>> dataLeft = new HashMap<>();
      data.forEachCrash(
          random,
          6,
          (left, flushes) -> dataLeft.computeIfAbsent(flushes, _ -> new ArrayList<>()).add(left));
      assertThat(data.flushes()).isGreaterThan(1);
      file.forEachCrash(
          random,
          6,
          (left, flushes) -> {
            List<byte[]> candidates =
                dataLeft.getOrDefault(noted.dataFlushes.get(flushes), List.of());
            byte[] withIt = candidates.get(random.nextInt(candidates.size()));
            assertSound(left, withIt, flushes, model);
          });
    }
  }

  private static void assertSound(byte[] left, byte[] data, int flushes, WrittenDisk model)
      throws Exception {
    OpenOptions reading = OpenOptions.strict().withReferences(_ -> new MemoryHostFile("d", data));
    try (Qcow2Image image = Qcow2Image.adopt(new MemoryHostFile("left", left), reading)) {
      model.assertLeftBy(flushes, image);
    }
  }
}
