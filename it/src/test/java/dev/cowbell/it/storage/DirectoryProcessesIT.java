package dev.cowbell.it.storage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.storage.ObjectInfo;
import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.Precondition;
import dev.cowbell.storage.directory.DirectoryStore;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Processes that are killed, race each other, or run out of room. */
final class DirectoryProcessesIT {

  @TempDir Path root;

  @Test
  void a_killed_writer_leaves_the_old_object_or_the_new_one() throws Exception {
    long seed = Long.getLong("cowbell.seed", System.nanoTime());
    Random random = new Random(seed);
    for (int round = 0; round < Integer.getInteger("cowbell.rounds", 6); round++) {
      Process writer = writer("replace").start();
      long committed;
      try (BufferedReader out = writer.inputReader()) {
        committed = Long.parseLong(out.readLine());
        Thread.sleep(random.nextInt(150));
        // Unlike Process.destroyForcibly this leaves the pipe, and what is still in it, alone.
        ProcessHandle.of(writer.pid()).orElseThrow().destroyForcibly();
        writer.waitFor();
        for (String line; (line = out.readLine()) != null; ) {
          committed = Long.parseLong(line);
        }
      }
      try (ObjectStore store = DirectoryStore.open(root, InstantSource.system())) {
        byte[] bytes = new byte[300_000];
        store.get(DirectoryWriter.KEY, bytes.length).body().get(bytes);
        long present = ByteBuffer.wrap(bytes).getLong();
        String as = "-Dcowbell.seed=%d, round %d".formatted(seed, round);
        assertThat(present).as(as).isBetween(committed, committed + 1);
        assertThat(Arrays.equals(bytes, DirectoryWriter.generation(present))).as(as).isTrue();

        store.sweepUploads("", Duration.ofDays(1));
        assertThat(root.resolve(".cowbell/uploads")).as(as).isEmptyDirectory();
        try (Stream<ObjectInfo> all = store.list("")) {
          assertThat(all.map(ObjectInfo::key)).as(as).containsExactly(DirectoryWriter.KEY);
        }
        store.delete(List.of(DirectoryWriter.KEY));
      }
    }
  }

  @Test
  void a_sweep_leaves_the_uploads_of_living_processes_alone() throws Exception {
    Process writer = writer("replace").start();
    try (ObjectStore store = DirectoryStore.open(root, InstantSource.system());
        BufferedReader out = writer.inputReader()) {
      for (int i = 0; i < 100; i++) {
        // It may take a file that was created but not yet locked; the writer takes another then.
        store.sweepUploads("", Duration.ZERO);
        assertThat(out.readLine()).isEqualTo(Integer.toString(i + 1));
      }
    } finally {
      writer.destroyForcibly().waitFor();
    }
  }

  @Test
  void of_two_processes_one_creates_each_object() throws Exception {
    List<String> won = race("create");

    assertThat(won.stream().mapToInt(Integer::parseInt).sum()).isEqualTo(DirectoryWriter.TURNS);
  }

  @Test
  void two_processes_never_replace_the_same_version() throws Exception {
    try (ObjectStore store = DirectoryStore.open(root, InstantSource.system())) {
      store.put(DirectoryWriter.COUNTER, DirectoryWriter.number(0), Precondition.NONE);

      race("count");

      assertThat(store.get(DirectoryWriter.COUNTER, 100).body())
          .isEqualTo(DirectoryWriter.number(2 * DirectoryWriter.TURNS));
    }
  }

  @Test
  void a_full_disk_is_an_error_that_leaves_everything_as_it_was() throws Exception {
    List<String> said = said(inTinyFileSystem("exec \"$@\"", "overfill"));

    assertThat(said).hasSize(3);
    assertThat(said.get(0)).startsWith("StoreFullException: ").contains("No space left");
    assertThat(said.subList(1, 3)).containsExactly("kept", "works again");
  }

  @Test
  void a_read_only_file_system_is_an_error() throws Exception {
    List<String> said =
        said(inTinyFileSystem("mount -o remount,ro \"$DIR\" && exec \"$@\"", "write"));

    assertThat(said).singleElement().asString().startsWith("StoreException: ");
    assertThat(said).singleElement().asString().contains("Read-only file system");
  }

  /** A writer in a mount namespace of its own, where the store is on a file system of 8 MiB. */
  private ProcessBuilder inTinyFileSystem(String then, String what) {
    List<String> command =
        new ArrayList<>(
            List.of(
                "unshare",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                "mount -t tmpfs -o size=8m tmpfs \"$DIR\" && " + then,
                "sh"));
    command.addAll(writer(what).command());
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().put("DIR", root.toString());
    return builder;
  }

  private List<String> race(String what) throws IOException, InterruptedException {
    List<Process> racers = List.of(writer(what).start(), writer(what).start());
    List<String> results = new ArrayList<>();
    try {
      for (Process racer : racers) {
        assertThat(line(racer)).isEqualTo("ready");
      }
      for (Process racer : racers) {
        racer.getOutputStream().write('g');
        racer.getOutputStream().flush();
      }
      for (Process racer : racers) {
        results.add(line(racer));
        assertThat(racer.waitFor()).isZero();
      }
    } finally {
      racers.forEach(Process::destroyForcibly);
    }
    return results;
  }

  /** One line, and not a byte of the next. */
  private static String line(Process process) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c; (c = process.getInputStream().read()) >= 0 && c != '\n'; ) {
      line.append((char) c);
    }
    return line.toString();
  }

  private static List<String> said(ProcessBuilder builder)
      throws IOException, InterruptedException {
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isZero();
    return said.lines().toList();
  }

  private ProcessBuilder writer(String what) {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            "-cp",
            System.getProperty("java.class.path"),
            DirectoryWriter.class.getName(),
            what,
            root.toString())
        .redirectError(ProcessBuilder.Redirect.INHERIT);
  }
}
