package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.Console;
import dev.cowbell.agent.cli.PassphraseFile;
import dev.cowbell.qcow2.UnsupportedFeatureException;
import dev.cowbell.qcow2.crypto.LuksOptions;
import dev.cowbell.qcow2.crypto.NewLuks;
import dev.cowbell.qcow2.crypto.Passphrase;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The {@code encrypt.…} options of a new image, in qemu-img's words. */
final class EncryptOptions {
  static final String PREFIX = "encrypt.";

  private boolean luks;
  private final Map<String, String> details = new LinkedHashMap<>();

  /**
   * Takes an option.
   *
   * @param key without the prefix
   */
  void set(String key, String value) throws CommandFailedException {
    switch (key) {
      case "format" -> {
        if (!value.equals("luks")) {
          throw CommandFailedException.usage(
              "-o encrypt.format: '%s' is not allowed, but luks".formatted(value));
        }
        luks = true;
      }
      case "key-secret" ->
          throw CommandFailedException.usage("-o encrypt.key-secret: there are no secret objects")
              .hint("a passphrase file holds the passphrase: see --help");
      default -> details.put(key, value);
    }
  }

  /** How the image is to be encrypted; empty if it isn't. */
  Optional<LuksOptions> luks() throws CommandFailedException {
    if (!luks) {
      if (!details.isEmpty()) {
        throw CommandFailedException.usage("-o: encrypt.format=luks is missing");
      }
      return Optional.empty();
    }
    try {
      return Optional.of(LuksOptions.parse(details));
    } catch (IllegalArgumentException | UnsupportedFeatureException e) {
      throw CommandFailedException.usage("-o: " + e.getMessage());
    }
  }

  /**
   * Makes the header and the key of a new image, which takes the time that the options say.
   *
   * @param option the name of the option that names the file
   * @param file holds the passphrase
   */
  Optional<NewLuks> make(String option, @Nullable Path file, Console console)
      throws IOException, CommandFailedException {
    Optional<LuksOptions> options = luks();
    if (options.isEmpty() != (file == null)) {
      throw CommandFailedException.usage(
          file == null
              ? "-o encrypt.format=luks: the passphrase is missing; say its file with " + option
              : option + ": the new image is not encrypted; -o encrypt.format=luks makes it so");
    }
    if (file == null) {
      return Optional.empty();
    }
    try (Passphrase passphrase = PassphraseFile.read(file, console)) {
      return Optional.of(NewLuks.create(options.orElseThrow(), passphrase));
    }
  }
}
