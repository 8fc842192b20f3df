package dev.cowbell.it.qemu;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** {@code qemu-io}. */
public final class QemuIo {

  private QemuIo() {}

  /** Runs commands on a qcow2 image; every one of them has to succeed. */
  public static String of(Path image, String... commands) {
    return of(image, Arrays.asList(commands));
  }

  /** Runs commands on a qcow2 image; every one of them has to succeed. */
  public static String of(Path image, List<String> commands) {
    return run(List.of("-f", "qcow2"), image, commands).success();
  }

  /**
   * Runs commands on an image.
   *
   * @param options what stands before the image, for instance {@code -r} or {@code -f raw}
   */
  public static Shell.Result run(List<String> options, Path image, List<String> commands) {
    List<String> words = new ArrayList<>(List.of("qemu-io"));
    words.addAll(options);
    for (String command : commands) {
      words.add("-c");
      words.add(command);
    }
    words.add(image.toString());
    return Shell.run(Path.of("").toAbsolutePath(), words, Shell.TIMEOUT);
  }
}
