package dev.cowbell.it.crypto;

import dev.cowbell.it.qemu.Shell;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** QEMU's tools on encrypted images. */
public final class EncryptedQemu {

  /** What qemu-img says, at random, when its measuring of PBKDF2 meets a coarse clock. */
  private static final String UNSURE = "Unable to get accurate CPU usage";

  private static final int TRIES = 30;

  private EncryptedQemu() {}

  /** Creates an image; {@code options} are those of {@code -o} beside format and secret. */
  public static void create(
      Path image, String passphrase, String format, String options, long size) {
    String all = "encrypt.format=" + format + ",encrypt.key-secret=sec0";
    patient(
        "qemu-img",
        "create",
        "-q",
        "-f",
        "qcow2",
        "--object",
        secret("sec0", passphrase),
        "-o",
        options.isEmpty() ? all : all + "," + options,
        image,
        size);
  }

  /** Runs a command whose measuring may fail by chance, until it succeeds; what it printed. */
  public static String patient(Object... command) {
    Shell.Result result = Shell.run(command);
    for (int i = 1; i < TRIES && result.exit() != 0 && result.err().contains(UNSURE); i++) {
      result = Shell.run(command);
    }
    return result.success();
  }

  /** Runs qemu-io's commands, all of which have to succeed. */
  public static void io(Path image, String passphrase, String... commands) {
    ioResult(image, passphrase, commands).success();
  }

  /** Runs qemu-io's commands. */
  static Shell.Result ioResult(Path image, String passphrase, String... commands) {
    List<Object> words = new ArrayList<>(List.of("qemu-io"));
    for (String command : commands) {
      words.add("-c");
      words.add(command);
    }
    words.addAll(opening(image, passphrase));
    return Shell.run(words.toArray());
  }

  /** Fails unless qemu-img finds nothing to complain of. */
  static void checkClean(Path image, String passphrase) {
    img(image, passphrase, "check", "-q").success();
  }

  /** Runs a subcommand of qemu-img on the image. */
  public static Shell.Result img(Path image, String passphrase, Object... subcommand) {
    List<Object> words = new ArrayList<>(List.of("qemu-img"));
    words.addAll(Arrays.asList(subcommand));
    words.addAll(opening(image, passphrase));
    return Shell.run(words.toArray());
  }

  /** What the guest sees, as qemu-img converts it. */
  static Path toRaw(Path image, String passphrase) {
    Path raw = image.resolveSibling(image.getFileName() + ".raw");
    List<Object> words = new ArrayList<>(List.of("qemu-img", "convert", "-O", "raw"));
    words.addAll(opening(image, passphrase));
    words.add(raw);
    Shell.run(words.toArray()).success();
    return raw;
  }

  static List<Object> opening(Path image, String passphrase) {
    return List.of("--object", secret("sec0", passphrase), "--image-opts", imageOpts(image));
  }

  static String imageOpts(Path image) {
    return "driver=qcow2,file.filename=" + image + ",encrypt.key-secret=sec0";
  }

  static String secret(String id, String passphrase) {
    return "secret,id=" + id + ",data=" + passphrase;
  }
}
