package dev.cowbell.it.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** {@code qemu-img}. */
public final class QemuImg {
  private static final ObjectMapper JSON = new ObjectMapper();

  private QemuImg() {}

  /** Runs any subcommand, and says how it went. */
  public static Shell.Result run(Object... arguments) {
    Object[] command = new Object[arguments.length + 1];
    command[0] = "qemu-img";
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    return Shell.run(command);
  }

  /** Runs a subcommand that has to succeed, and returns its output. */
  public static String of(Object... arguments) {
    return run(arguments).success();
  }

  /** Creates a qcow2 image; options as for {@code -o}, "" for none. */
  public static void create(Path image, String options, long size) {
    of(arguments("create", "-q", "-f", "qcow2", options, image, size));
  }

  /** Creates a qcow2 image over a backing file. */
  public static void createOver(
      Path image, String options, String backing, String format, long size) {
    of(arguments("create", "-q", "-f", "qcow2", "-b", backing, "-F", format, options, image, size));
  }

  /** {@code map --output=json}: one node per run. */
  public static JsonNode map(Object... arguments) {
    return json(of(with(arguments, "map", "--output=json")));
  }

  /** {@code info --output=json}. */
  public static JsonNode info(Object... arguments) {
    return json(of(with(arguments, "info", "--output=json")));
  }

  /** {@code check --output=json}, with the exit code, whatever it is. */
  public static Shell.Result check(Object... arguments) {
    return run(with(arguments, "check", "--output=json"));
  }

  /** {@code check} that has to find nothing at all. */
  public static void checkClean(Path image) {
    of("check", "-q", "-f", "qcow2", image);
  }

  /** Fails unless two images show the same bytes. */
  public static void assertSame(Path a, String formatA, Path b, String formatB) {
    of("compare", "-q", "-f", formatA, "-F", formatB, a, b);
  }

  public static JsonNode json(String text) {
    try {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new UncheckedIOException(text, e);
    }
  }

  private static Object[] with(Object[] arguments, Object... first) {
    List<Object> all = new ArrayList<>(List.of(first));
    all.addAll(List.of(arguments));
    return all.toArray();
  }

  /** Puts {@code -o} before the options, which stand third from the end. */
  private static Object[] arguments(Object... words) {
    List<Object> all = new ArrayList<>(List.of(words));
    int options = all.size() - 3;
    if (all.get(options).equals("")) {
      all.remove(options);
    } else {
      all.add(options, "-o");
    }
    return all.toArray();
  }
}
