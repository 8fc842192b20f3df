package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.qcow2.amend.AmendOptions;
import dev.cowbell.qcow2.amend.ImageAmendment;
import dev.cowbell.qcow2.format.RefcountWidth;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image amend}: as {@code qemu-img amend}. */
@Command(
    name = "amend",
    description = "Changes the format options of a qcow2 image that nobody has open.")
final class AmendCommand extends CowbellCommand {

  @Option(
      names = "-o",
      paramLabel = "K=V,...",
      required = true,
      description = {
        "compat (0.10 or 1.1), refcount_bits (1 to 64), lazy_refcounts (on or off);",
        "encrypt.state=active with encrypt.new-secret-file adds a passphrase, encrypt.state=inactive"
            + " with encrypt.old-secret-file or encrypt.keyslot erases one; help lists all."
      })
  private List<String> lists = List.of();

  @Option(
      names = "--passphrase-file",
      paramLabel = "FILE",
      description = "Opens an encrypted image now; each byte of the file counts, a newline too.")
  private @Nullable Path passphraseFile;

  @Option(
      names = "-t",
      paramLabel = "CACHE",
      description = "Accepted as in qemu-img; what is written is always flushed.")
  private String cache = "writeback";

  @Option(names = "-f", paramLabel = "FMT", description = "The image's format: qcow2.")
  private String format = "qcow2";

  @Parameters(arity = "0..1", paramLabel = "FILE", description = "The image.")
  private Path file;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    if (!format.equals("qcow2")) {
      throw CommandFailedException.because(
          ExitCode.FAILED, "%s: the format %s has nothing to amend".formatted(file, format));
    }
    if (OptionHelp.isWanted(lists)) {
      OptionHelp.AMENDED_QCOW2.print(console().out());
      return ExitCode.DONE;
    }
    OptionHelp.requireFile(file, "FILE");
    CacheMode.of("-t", cache);
    Optional<Integer> version = Optional.empty();
    Optional<RefcountWidth> width = Optional.empty();
    Optional<Boolean> lazy = Optional.empty();
    KeySlotOptions keySlots = new KeySlotOptions();
    for (String list : lists) {
      for (String option : CreateOptions.split(list)) {
        int equals = option.indexOf('=');
        String key = equals < 0 ? option : option.substring(0, equals);
        String value = equals < 0 ? "on" : option.substring(equals + 1);
        switch (key) {
          case "compat" -> version = Optional.of(CreateOptions.version(value));
          case "refcount_bits" -> width = Optional.of(CreateOptions.refcountWidth(value));
          case "lazy_refcounts" -> lazy = Optional.of(CreateOptions.onOff(key, value));
          case "backing_file", "backing_fmt" ->
              throw CommandFailedException.because(
                      ExitCode.FAILED, "-o " + key + ": the backing file can't be amended")
                  .hint("use image rebase instead");
          default -> {
            if (!key.startsWith(EncryptOptions.PREFIX)) {
              throw CommandFailedException.usage("-o: '" + key + "' can't be amended")
                  .hint("there are compat, refcount_bits, lazy_refcounts, encrypt.state");
            }
            keySlots.set(key.substring(EncryptOptions.PREFIX.length()), value);
          }
        }
      }
    }
    AmendOptions wanted = new AmendOptions(version, width, lazy);
    keySlots.whileOpen(
        passphraseFile, console(), change -> ImageAmendment.run(file, wanted.withKeySlots(change)));
    return ExitCode.DONE;
  }
}
