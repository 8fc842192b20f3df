package dev.cowbell.it.writing;

import dev.cowbell.it.writing.ChildWrites.Change;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.WritableDisk.ZeroSpace;
import dev.cowbell.qcow2.snapshot.NewSnapshot;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A process that writes to an image until it is done, killed, or out of space, and says on its
 * standard output what has become durable.
 */
final class WriterProcess {
  /** So many changes come between two flushes at most. */
  static final int MAX_UNFLUSHED = 20;

  private static final String STARTED = "started";
  private static final String FLUSHED = "flushed ";
  private static final String FAILED = "failed ";
  private static final String CLOSED = "closed";

  private WriterProcess() {}

  /**
   * What is known of a process that has ended.
   *
   * @param flushed how many changes were durable
   * @param failed the numbers of those that failed
   * @param closed whether it came to its end
   * @param last what it said last, for messages
   */
  record Ended(int flushed, List<Integer> failed, boolean closed, String last) {}

  /**
   * Runs one.
   *
   * @param killAfter how long it may write, in milliseconds; null for until it is done
   * @param fileBlocks the most KiB that a file of it may have; null for any number
   */
  static Ended run(
      Path image, long seed, int changes, @Nullable Integer killAfter, @Nullable Integer fileBlocks)
      throws IOException, InterruptedException {
    List<String> java =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            "-Xshare:auto",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            WriterProcess.class.getName(),
            image.toString(),
            String.valueOf(seed),
            String.valueOf(changes));
    List<String> command = new ArrayList<>();
    if (fileBlocks != null) {
      command.addAll(List.of("bash", "-c", "ulimit -f " + fileBlocks + "; exec \"$@\"", "bash"));
    }
    command.addAll(java);
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    int flushed = 0;
    List<Integer> failed = new ArrayList<>();
    boolean closed = false;
    String last = "";
    try (BufferedReader out =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        if (line.equals(STARTED) && killAfter != null) {
          Thread.ofVirtual().start(() -> killSoon(process, killAfter));
        } else if (line.startsWith(FLUSHED)) {
          flushed = Integer.parseInt(line.substring(FLUSHED.length()));
        } else if (line.startsWith(FAILED)) {
          failed.add(Integer.parseInt(line.substring(FAILED.length()).split(" ", 2)[0]));
        } else {
          closed |= line.equals(CLOSED);
        }
        last = line;
      }
    }
    if (!process.waitFor(1, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      throw new AssertionError("the writer does not end: " + last);
    }
    if (killAfter == null && process.exitValue() != 0) {
      throw new AssertionError("the writer ended with " + process.exitValue() + ": " + last);
    }
    return new Ended(flushed, failed, closed, last);
  }

  private static void killSoon(Process process, int after) {
    try {
      Thread.sleep(after);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    // Unlike Process.destroyForcibly this leaves the pipe, and what is still in it, alone.
    process.toHandle().destroyForcibly();
  }

  public static void main(String[] args) throws IOException {
    Qcow2Image image =
        Qcow2Image.open(Path.of(args[0]), OpenOptions.following().withAccess(Access.READ_WRITE));
    ChildWrites writes = new ChildWrites(Long.parseLong(args[1]), image.size());
    System.out.println(STARTED);
    int unflushed = 0;
    int changes = Integer.parseInt(args[2]);
    for (int i = 0; i < changes; i++) {
      boolean flush = ThreadLocalRandom.current().nextInt(6) == 0 || unflushed == MAX_UNFLUSHED - 1;
      try {
        apply(image, writes.next());
      } catch (IOException e) {
        System.out.println(FAILED + i + " " + e.getMessage());
      }
      unflushed++;
      try {
        if (ThreadLocalRandom.current().nextInt(25) == 0) {
          snapshot(image);
        }
        if (flush) {
          image.flush();
          unflushed = 0;
          System.out.println(FLUSHED + (i + 1));
        }
      } catch (IOException e) {
        System.out.println("no flush " + i + " " + e.getMessage());
      }
      if (unflushed >= MAX_UNFLUSHED) {
        break;
      }
    }
    try {
      image.close();
      System.out.println(CLOSED);
    } catch (IOException e) {
      System.out.println("not closed " + e.getMessage());
    }
  }

  private static void apply(Qcow2Image image, Change change) throws IOException {
    long at = (long) change.from() * ChildWrites.SECTOR;
    int length = change.count() * ChildWrites.SECTOR;
    switch (change.kind()) {
      case ZERO -> image.writeZeroes(at, length, ZeroSpace.MAY_FREE);
      case DISCARD -> image.discard(at, length);
      case WRITE -> {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, change.value());
        image.write(at, ByteBuffer.wrap(bytes));
      }
    }
  }

  private static void snapshot(Qcow2Image image) throws IOException {
    if (image.snapshots().entries().size() < 2) {
      image.createSnapshot(NewSnapshot.named("s", Instant.EPOCH));
    } else {
      image.deleteSnapshot("snapshot.id=" + image.snapshots().entries().getFirst().id());
    }
  }
}
