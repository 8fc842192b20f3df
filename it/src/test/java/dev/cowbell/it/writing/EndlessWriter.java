package dev.cowbell.it.writing;

import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * A process that fills the first half of a disk, flushes, and writes to the second half until it is
 * killed.
 */
public final class EndlessWriter {
  static final byte FLUSHED = 5;
  private static final String SIGN = "flushed";

  private EndlessWriter() {}

  /** Starts one, and kills it so many milliseconds after its flush. */
  static void killedAfter(Path image, long milliseconds) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    "--enable-native-access=ALL-UNNAMED",
                    "-cp",
                    System.getProperty("java.class.path"),
                    EndlessWriter.class.getName(),
                    image.toString()))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    boolean wrote;
    try (var out = process.inputReader(StandardCharsets.UTF_8)) {
      wrote = SIGN.equals(out.readLine());
      Thread.sleep(milliseconds);
      wrote &= process.isAlive();
    } finally {
      process.destroyForcibly().onExit().join();
    }
    if (!wrote) {
      throw new AssertionError("the writer ended by itself");
    }
  }

  public static void main(String[] args) throws IOException {
    OpenOptions options = OpenOptions.following().withAccess(Access.READ_WRITE);
    try (Qcow2Image image = Qcow2Image.open(Path.of(args[0]), options)) {
      int half = Math.toIntExact(image.size() / 2);
      byte[] bytes = new byte[half];
      Arrays.fill(bytes, FLUSHED);
      image.write(0, ByteBuffer.wrap(bytes));
      image.flush();
      System.out.println(SIGN);
      Random random = new Random();
      while (true) {
        int at = random.nextInt(half - (64 << 10));
        image.write(half + at, ByteBuffer.wrap(bytes, 0, 1 + random.nextInt(64 << 10)));
        if (random.nextInt(20) == 0) {
          image.flush();
        }
        if (random.nextInt(10) == 0) {
          image.discard(half + at, 32 << 10);
        }
      }
    }
  }
}
