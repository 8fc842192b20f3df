package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.Console;
import dev.cowbell.agent.cli.PassphraseFile;
import dev.cowbell.qcow2.crypto.IterationTime;
import dev.cowbell.qcow2.crypto.KeySlotChange;
import dev.cowbell.qcow2.crypto.LuksHeader;
import dev.cowbell.qcow2.crypto.Passphrase;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The {@code encrypt.…} options of an image that is amended, in qemu-img's words but for the
 * passphrases, which are in files: {@code new-secret-file} and {@code old-secret-file}.
 */
final class KeySlotOptions {
  private @Nullable String state;
  private @Nullable Path newFile;
  private @Nullable Path oldFile;
  private OptionalInt slot = OptionalInt.empty();
  private Optional<IterationTime> time = Optional.empty();
  private boolean given;

  /** Something that is done while the passphrases are in memory. */
  @FunctionalInterface
  interface Work {
    void run(Optional<KeySlotChange> change) throws IOException, CommandFailedException;
  }

  /**
   * Takes an option.
   *
   * @param key without the prefix
   */
  void set(String key, String value) throws CommandFailedException {
    given = true;
    switch (key) {
      case "state" -> {
        if (!value.equals("active") && !value.equals("inactive")) {
          throw invalid(key, value, "active or inactive");
        }
        state = value;
      }
      case "new-secret-file" -> newFile = Path.of(value);
      case "old-secret-file" -> oldFile = Path.of(value);
      case "new-secret", "old-secret" ->
          throw CommandFailedException.usage("-o encrypt." + key + ": there are no secret objects")
              .hint("a file holds the passphrase: encrypt." + key + "-file");
      case "keyslot" -> slot = OptionalInt.of(slot(value));
      case "iter-time" -> time = Optional.of(time(value));
      default ->
          throw CommandFailedException.usage("-o: 'encrypt." + key + "' can't be amended")
              .hint(
                  "there are encrypt.state, encrypt.new-secret-file, encrypt.old-secret-file,"
                      + " encrypt.keyslot, encrypt.iter-time");
    }
  }

  private static int slot(String value) throws CommandFailedException {
    if (!value.matches("[0-9]") || Integer.parseInt(value) >= LuksHeader.SLOTS) {
      throw invalid("keyslot", value, "0 to " + (LuksHeader.SLOTS - 1));
    }
    return Integer.parseInt(value);
  }

  private static IterationTime time(String value) throws CommandFailedException {
    try {
      return IterationTime.ofMillis(Long.parseLong(value));
    } catch (NumberFormatException _) {
      throw invalid("iter-time", value, "a number of milliseconds");
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage("-o encrypt.iter-time: " + e.getMessage());
    }
  }

  private static CommandFailedException invalid(String key, String value, String allowed) {
    return CommandFailedException.usage(
        "-o encrypt.%s: '%s' is not allowed, but %s".formatted(key, value, allowed));
  }

  /**
   * Has something done with the change that the options describe, if they do.
   *
   * @param presentFile holds a passphrase that opens the image now
   */
  void whileOpen(@Nullable Path presentFile, Console console, Work work)
      throws IOException, CommandFailedException {
    if (!given) {
      if (presentFile != null) {
        throw CommandFailedException.usage("--passphrase-file: no encrypt.state needs it");
      }
      work.run(Optional.empty());
      return;
    }
    check(presentFile);
    try (Passphrase present = PassphraseFile.readIfGiven(presentFile, console).orElse(null);
        Passphrase added = PassphraseFile.readIfGiven(newFile, console).orElse(null);
        Passphrase old = PassphraseFile.readIfGiven(oldFile, console).orElse(null)) {
      work.run(Optional.of(change(present, added, old)));
    }
  }

  private KeySlotChange change(
      @Nullable Passphrase present, @Nullable Passphrase added, @Nullable Passphrase old) {
    if (present != null && added != null) {
      return new KeySlotChange.Add(present, added, time.orElse(IterationTime.DEFAULT), slot);
    }
    if (slot.isPresent()) {
      return new KeySlotChange.EraseSlot(
          slot.getAsInt(), Optional.ofNullable(present), Optional.ofNullable(old));
    }
    if (old == null) {
      throw new IllegalStateException("checked before");
    }
    return new KeySlotChange.EraseOf(old);
  }

  private void check(@Nullable Path presentFile) throws CommandFailedException {
    if (state == null) {
      throw CommandFailedException.usage("-o encrypt.state is missing: active or inactive");
    }
    if (state.equals("active")) {
      if (newFile == null) {
        throw CommandFailedException.usage(
            "-o encrypt.state=active: encrypt.new-secret-file is missing");
      }
      if (oldFile != null) {
        throw CommandFailedException.usage(
            "-o encrypt.old-secret-file: only encrypt.state=inactive takes it");
      }
      if (presentFile == null) {
        throw CommandFailedException.usage(
            "-o encrypt.state=active: a passphrase that opens the image now is missing; say its"
                + " file with --passphrase-file");
      }
      return;
    }
    if (newFile != null || time.isPresent()) {
      throw CommandFailedException.usage(
          "-o encrypt.new-secret-file, encrypt.iter-time: only encrypt.state=active takes them");
    }
    if (slot.isEmpty() && oldFile == null) {
      throw CommandFailedException.usage(
          "-o encrypt.state=inactive: encrypt.keyslot or encrypt.old-secret-file is missing");
    }
    if (oldFile == null && presentFile == null) {
      throw CommandFailedException.usage(
          "-o encrypt.keyslot: a passphrase of the image is missing; say its file with"
              + " --passphrase-file, or the slot's own with encrypt.old-secret-file");
    }
  }
}
