package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.build.CopyTarget;
import dev.cowbell.qcow2.build.DiskCopy;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.build.NewQcow2Image;
import dev.cowbell.qcow2.build.NewRawImage;
import dev.cowbell.qcow2.build.PendingFile;
import dev.cowbell.qcow2.compress.ClusterPacker;
import dev.cowbell.qcow2.crypto.NewLuks;
import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code image convert}: as {@code qemu-img convert}. */
@Command(
    name = "convert",
    description = "Copies what a disk reads as into a new raw or qcow2 image.")
final class ConvertCommand extends CowbellCommand {
  private static final int SECTOR = 512;
  private static final int MAX_THREADS = 16;
  private static final long MAX_SPARSE = 2 << 20;

  @Mixin private OpenRules rules;

  @Option(names = "-f", paramLabel = "FMT", description = "The source's format.")
  private @Nullable String sourceFormat;

  @Option(names = "-O", paramLabel = "FMT", description = "The target's format; raw by default.")
  private String targetFormat = "raw";

  @Option(names = "-c", description = "Compress.")
  private boolean compress;

  @Option(names = "-o", paramLabel = "KEY=VALUE,...", description = "Options of the new image.")
  private List<String> options = List.of();

  @Option(
      names = "-l",
      paramLabel = "SNAP",
      description = "Copy an internal snapshot: an id, else a name; snapshot.id=, snapshot.name=.")
  private @Nullable String snapshot;

  @Option(
      names = {"-B", "-b"},
      paramLabel = "BACKING",
      description = "Give the target this backing file, and write only what differs from it.")
  private @Nullable String backing;

  @Option(names = "-F", paramLabel = "FMT", description = "The backing file's format.")
  private @Nullable String backingFormat;

  @Option(
      names = "--target-passphrase-file",
      paramLabel = "FILE",
      description = "With -o encrypt.format=luks: what is to open the target.")
  private @Nullable Path targetPassphraseFile;

  @Option(
      names = "--target-backing-passphrase-file",
      paramLabel = "FILE",
      description = "With -B: opens the target's encrypted backing file.")
  private @Nullable Path targetBackingPassphraseFile;

  @Option(names = "-W", description = "Accepted as in qemu-img; writes are never kept in order.")
  @SuppressWarnings("UnusedVariable") // it changes nothing here
  private boolean outOfOrder;

  @Option(
      names = "-m",
      paramLabel = "N",
      description = "How many threads work at it, 1 to 16; by default one per core.")
  private int threads = Math.min(MAX_THREADS, Runtime.getRuntime().availableProcessors());

  @Option(
      names = "-S",
      paramLabel = "SIZE",
      description = "The shortest run of zeroes that is left out of a raw file; 0: leave out none.")
  private ByteSize sparse = new ByteSize(4096);

  @Option(names = "-n", description = "Write into an existing raw file or device.")
  private boolean existing;

  @Option(
      names = "-t",
      paramLabel = "CACHE",
      description = "unsafe (default): return before the target is on stable storage; else wait.")
  private String cache = "unsafe";

  @Option(names = "-p", description = "Show progress.")
  private boolean showProgress;

  @Parameters(index = "0", paramLabel = "SRC", description = "The image to copy.")
  private Path source;

  @Parameters(
      index = "1",
      paramLabel = "DST",
      description = "The image to make; replaced if it exists.")
  private Path target;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    boolean qcow2 = isQcow2(targetFormat);
    CreateOptions create = checkOptions(qcow2);
    try (MappedDisk image = rules.open(source, sourceFormat)) {
      MappedDisk disk = snapshot == null ? image : snapshot(image, snapshot);
      if (qcow2) {
        toQcow2(disk, create);
      } else {
        toRaw(disk);
      }
    }
    return ExitCode.DONE;
  }

  private CreateOptions checkOptions(boolean qcow2) throws CommandFailedException {
    if (threads < 1 || threads > MAX_THREADS) {
      throw CommandFailedException.usage("-m: " + threads + " is not allowed, but 1 to 16");
    }
    if (sparse.bytes() > MAX_SPARSE
        || sparse.bytes() % SECTOR != 0
        || Long.bitCount(sparse.bytes()) > 1) {
      throw CommandFailedException.usage(
          "-S: %d is not allowed, but 0 and powers of two from 512 to 2M"
              .formatted(sparse.bytes()));
    }
    if (!qcow2 && compress) {
      throw CommandFailedException.usage("-c: a raw image can't be compressed");
    }
    if (!qcow2 && (backing != null || !options.isEmpty() || targetPassphraseFile != null)) {
      throw CommandFailedException.usage(
          "-B, -o and --target-passphrase-file: a raw image has no backing file, options or key");
    }
    if (qcow2 && existing) {
      throw CommandFailedException.usage(
          "-n: writing into an existing qcow2 image is not supported yet; raw is");
    }
    CreateOptions create = CreateOptions.parse(options);
    if (compress && create.encryption().luks().isPresent()) {
      throw CommandFailedException.usage(
          "-c: compressed clusters of an encrypted image would be stored in the clear");
    }
    return create;
  }

  private static MappedDisk snapshot(MappedDisk disk, String name)
      throws IOException, CommandFailedException {
    if (!(disk instanceof Qcow2Image image)) {
      throw CommandFailedException.because(
          ExitCode.FAILED, "-l: only a qcow2 image has internal snapshots");
    }
    return image.openSnapshot(image.snapshots().find(name));
  }

  private static boolean isQcow2(String format) throws CommandFailedException {
    return switch (format) {
      case "qcow2" -> true;
      case "raw" -> false;
      default -> throw OpenRules.unknownFormat(format);
    };
  }

  private void toRaw(MappedDisk disk) throws IOException {
    int unit = sparse.bytes() == 0 ? SECTOR : (int) sparse.bytes();
    boolean device = Files.exists(target) && !Files.isRegularFile(target);
    if (existing || device) {
      try (HostFile file = ChannelHostFile.open(target, ImageLock.Use.WRITE)) {
        copy(disk, new NewRawImage(file, disk.size(), unit, false), Optional.empty(), null);
        if (isDurable()) {
          file.flush();
        }
      }
      return;
    }
    try (PendingFile file = PendingFile.of(target)) {
      copy(disk, new NewRawImage(file.file(), disk.size(), unit, true), Optional.empty(), null);
      file.publish(PendingFile.Existing.REPLACE, isDurable());
    }
  }

  private void toQcow2(MappedDisk disk, CreateOptions create)
      throws IOException, CommandFailedException {
    NewImageOptions image = create.image();
    String backingName = backing != null ? backing : create.backingFile().orElse(null);
    String format = backingFormat != null ? backingFormat : create.backingFormat().orElse(null);
    if (backingName == null) {
      write(disk, image, create.encryption(), Optional.empty());
      return;
    }
    if (format == null) {
      throw CommandFailedException.usage("-B: the backing file's format is missing")
          .hint("say it with -F");
    }
    Path path = target.toAbsolutePath().resolveSibling(backingName);
    try (MappedDisk below = rules.openOther(path, format, targetBackingPassphraseFile)) {
      write(disk, image.withBacking(backingName, format), create.encryption(), Optional.of(below));
    }
  }

  private void write(
      MappedDisk disk, NewImageOptions image, EncryptOptions encryption, Optional<GuestDisk> below)
      throws IOException, CommandFailedException {
    Optional<NewLuks> luks =
        encryption.make("--target-passphrase-file", targetPassphraseFile, console());
    try (NewLuks _ = luks.orElse(null);
        PendingFile file = PendingFile.of(target)) {
      CopyTarget made = new NewQcow2Image(file.file(), disk.size(), image, luks);
      copy(disk, made, below, compress ? image.compressionType() : null);
      file.publish(PendingFile.Existing.REPLACE, isDurable());
    }
  }

  private void copy(
      MappedDisk disk,
      CopyTarget made,
      Optional<GuestDisk> below,
      @Nullable CompressionType compression)
      throws IOException {
    Optional<Supplier<ClusterPacker>> packer =
        Optional.ofNullable(compression).map(type -> () -> ClusterPacker.of(type));
    try (Progress.Phase phase = progress(showProgress).begin("converting", disk.size())) {
      new DiskCopy(
              disk,
              made,
              below,
              packer,
              sparse.bytes() != 0,
              threads,
              bytes -> {
                phase.advance(bytes);
                cancellation().check();
              })
          .run();
    }
  }

  private boolean isDurable() {
    return !cache.equals("unsafe");
  }
}
