package dev.cowbell.agent.cli.image;

import dev.cowbell.agent.cli.ByteSize;
import dev.cowbell.agent.cli.CommandFailedException;
import dev.cowbell.agent.cli.CowbellCommand;
import dev.cowbell.agent.cli.ExitCode;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.build.CopyListener;
import dev.cowbell.qcow2.build.CopyTarget;
import dev.cowbell.qcow2.build.DiskCopy;
import dev.cowbell.qcow2.build.ExistingDisk;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.build.NewQcow2Image;
import dev.cowbell.qcow2.build.NewRawImage;
import dev.cowbell.qcow2.build.PacedListener;
import dev.cowbell.qcow2.build.PendingFile;
import dev.cowbell.qcow2.build.PendingImage;
import dev.cowbell.qcow2.build.Preallocation;
import dev.cowbell.qcow2.build.SalvagedDisk;
import dev.cowbell.qcow2.compress.ClusterPacker;
import dev.cowbell.qcow2.crypto.NewLuks;
import dev.cowbell.qcow2.format.CompressionType;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.HostIo;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
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

  @Option(
      names = "-o",
      paramLabel = "KEY=VALUE,...",
      description = "Options of the new image; -o help lists them.")
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

  @Option(names = "-n", description = "Write into an existing image or device.")
  private boolean existing;

  @Option(
      names = "-t",
      paramLabel = "CACHE",
      description =
          "unsafe (default): return before the target is on stable storage; writeback, writethrough:"
              + " wait for that; none, directsync: wait, and write past the host's cache.")
  private String cache = "unsafe";

  @Option(
      names = "-T",
      paramLabel = "CACHE",
      description = "How the source is read: writeback (default); past the host's cache: none.")
  private String sourceCache = "writeback";

  @Option(names = "-r", paramLabel = "RATE", description = "The most bytes to copy per second.")
  private @Nullable ByteSize rate;

  @Option(names = "--level", paramLabel = "N", description = "How hard -c compresses.")
  private @Nullable Integer level;

  @Option(names = "--salvage", description = "Take zeroes for what can't be read, and go on.")
  private boolean salvage;

  @Option(names = "--target-is-zero", description = "With -n: the target reads as zeroes.")
  private boolean targetIsZero;

  @Option(names = "--bitmaps", description = "Copy the persistent bitmaps, too.")
  private boolean bitmaps;

  @Option(
      names = "--skip-broken-bitmaps",
      description = "With --bitmaps: leave out those that are in use.")
  private boolean skipBroken;

  @Option(names = "-p", description = "Show progress.")
  private boolean showProgress;

  @Parameters(index = "0", arity = "0..1", paramLabel = "SRC", description = "The image to copy.")
  private Path source;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "DST",
      description = "The image to make; replaced if it exists.")
  private Path target;

  @Override
  protected ExitCode run() throws IOException, CommandFailedException {
    if (OptionHelp.isWanted(options)) {
      OptionHelp.ofNew(targetFormat).print(console().out());
      return ExitCode.DONE;
    }
    OptionHelp.requireFile(source, "SRC");
    OptionHelp.requireFile(target, "DST");
    boolean qcow2 = isQcow2(targetFormat);
    CreateOptions create = checkOptions(qcow2);
    OpenOptions reading = rules.options(CacheMode.of("-T", sourceCache).io());
    AtomicLong lost = new AtomicLong();
    try (MappedDisk image = rules.open(source, sourceFormat, reading)) {
      GuestDisk disk = snapshot == null ? image : Snapshots.open(image, snapshot);
      if (salvage) {
        disk =
            SalvagedDisk.over(
                disk,
                (at, length, why) -> {
                  lost.addAndGet(length);
                  console()
                      .warn("%d bytes at %d are lost: %s".formatted(length, at, why.getMessage()));
                });
      }
      if (qcow2 && existing) {
        overQcow2(disk);
      } else if (qcow2) {
        toQcow2(
            disk,
            create,
            bitmaps ? CopiedBitmaps.of(image, skipBroken, console()) : CopiedBitmaps.NONE);
      } else {
        toRaw(disk, create.raw());
      }
    }
    return lost.get() == 0 ? ExitCode.DONE : ExitCode.WARNINGS;
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
    if (!qcow2 && (backing != null || targetPassphraseFile != null)) {
      throw CommandFailedException.usage(
          "-B and --target-passphrase-file: a raw image has no backing file and no key");
    }
    if (targetIsZero && !existing) {
      throw CommandFailedException.usage("--target-is-zero: -n is missing");
    }
    if (rate != null && rate.bytes() == 0) {
      throw CommandFailedException.usage("-r: 0 is not allowed, but 1 byte per second or more");
    }
    targetIo();
    checkBitmaps(qcow2);
    if (existing) {
      checkExisting(qcow2);
    }
    CreateOptions create = CreateOptions.parse(options);
    checkLevel(create);
    if (compress && create.encryption().luks().isPresent()) {
      throw CommandFailedException.usage(
          "-c: compressed clusters of an encrypted image would be stored in the clear");
    }
    if (compress && create.dataFile().isPresent()) {
      throw CommandFailedException.usage(
          "-c: an image with a data file can't hold compressed clusters");
    }
    return create;
  }

  private void checkExisting(boolean qcow2) throws CommandFailedException {
    if (!options.isEmpty() || backing != null || targetPassphraseFile != null) {
      throw CommandFailedException.usage("-n: the target is there, so -o, -B and keys say nothing");
    }
    if (qcow2 && (compress || bitmaps)) {
      throw CommandFailedException.usage(
          "-n: -c and --bitmaps are for new images; leave -n out to make one");
    }
  }

  private void checkBitmaps(boolean qcow2) throws CommandFailedException {
    if (skipBroken && !bitmaps) {
      throw CommandFailedException.usage("--skip-broken-bitmaps: --bitmaps is missing");
    }
    if (bitmaps && !qcow2) {
      throw CommandFailedException.usage("--bitmaps: a raw image has no bitmaps");
    }
    if (bitmaps && snapshot != null) {
      throw CommandFailedException.usage("--bitmaps: they do not belong to a snapshot (-l)");
    }
  }

  private void checkLevel(CreateOptions create) throws CommandFailedException {
    if (level == null) {
      return;
    }
    int most = ClusterPacker.maxLevel(create.image().compressionType());
    if (!compress || level < 1 || level > most) {
      throw CommandFailedException.usage(
          compress
              ? "--level: %d is not allowed, but 1 to %d".formatted(level, most)
              : "--level: nothing is compressed without -c");
    }
  }

  private static boolean isQcow2(String format) throws CommandFailedException {
    return switch (format) {
      case "qcow2" -> true;
      case "raw" -> false;
      default -> throw OpenRules.unknownFormat(format);
    };
  }

  private void toRaw(GuestDisk disk, Preallocation preallocation)
      throws IOException, CommandFailedException {
    int unit = sparse.bytes() == 0 ? SECTOR : (int) sparse.bytes();
    boolean device = Files.exists(target) && !Files.isRegularFile(target);
    if (existing || device) {
      NewRawImage.Before before =
          targetIsZero ? NewRawImage.Before.ZEROES : NewRawImage.Before.ANYTHING;
      try (HostFile file = targetIo().open(target, ImageLock.Use.WRITE)) {
        copy(
            disk,
            new NewRawImage(file, disk.size(), unit, before, preallocation),
            Optional.empty(),
            null);
        if (isDurable()) {
          file.flush();
        }
      }
      return;
    }
    try (PendingFile file = PendingFile.of(target, targetIo())) {
      copy(
          disk,
          new NewRawImage(
              file.file(), disk.size(), unit, NewRawImage.Before.NOTHING, preallocation),
          Optional.empty(),
          null);
      file.publish(PendingFile.Existing.REPLACE, isDurable());
    }
  }

  private void overQcow2(GuestDisk disk) throws IOException, CommandFailedException {
    OpenOptions how = rules.options(targetIo()).withAccess(OpenOptions.Access.READ_WRITE);
    try (Qcow2Image image = Qcow2Image.open(target, how)) {
      int unit = image.head().header().geometry().clusterSize();
      copy(disk, new ExistingDisk(image, disk.size(), unit, targetIsZero), Optional.empty(), null);
      if (isDurable()) {
        image.flush();
      }
    }
  }

  private void toQcow2(GuestDisk disk, CreateOptions create, CopiedBitmaps copied)
      throws IOException, CommandFailedException {
    NewImageOptions image = copied.addTo(create.image());
    String backingName = backing != null ? backing : create.backingFile().orElse(null);
    String format = backingFormat != null ? backingFormat : create.backingFormat().orElse(null);
    if (backingName == null) {
      write(disk, image, create, Optional.empty());
      return;
    }
    if (format == null) {
      throw CommandFailedException.usage("-B: the backing file's format is missing")
          .hint("say it with -F");
    }
    Path path = target.toAbsolutePath().resolveSibling(backingName);
    try (MappedDisk below = rules.openOther(path, format, targetBackingPassphraseFile)) {
      write(
          disk, CreateCommand.withBacking(image, backingName, format), create, Optional.of(below));
    }
  }

  private void write(
      GuestDisk disk, NewImageOptions image, CreateOptions create, Optional<GuestDisk> below)
      throws IOException, CommandFailedException {
    Optional<NewLuks> luks =
        create.encryption().make("--target-passphrase-file", targetPassphraseFile, console());
    try (NewLuks _ = luks.orElse(null);
        PendingImage file = PendingImage.of(target, create.dataFile().map(Path::of), targetIo())) {
      CopyTarget made = new NewQcow2Image(file.file(), file.dataFile(), disk.size(), image, luks);
      copy(disk, made, below, compress ? image.compressionType() : null);
      file.publish(PendingFile.Existing.REPLACE, isDurable());
    }
  }

  private void copy(
      GuestDisk disk,
      CopyTarget made,
      Optional<GuestDisk> below,
      @Nullable CompressionType compression)
      throws IOException {
    Optional<Supplier<ClusterPacker>> packer =
        Optional.ofNullable(compression)
            .map(type ->
                () -> level == null ? ClusterPacker.of(type) : ClusterPacker.of(type, level));
    try (Progress.Phase phase = progress(showProgress).begin("converting", disk.size())) {
      CopyListener listener =
          bytes -> {
            phase.advance(bytes);
            cancellation().check();
          };
      new DiskCopy(
              disk,
              made,
              below,
              packer,
              sparse.bytes() != 0,
              threads,
              rate == null ? listener : new PacedListener(listener, rate.bytes()))
          .run();
    }
  }

  private HostIo targetIo() throws CommandFailedException {
    return CacheMode.of("-t", cache).io();
  }

  private boolean isDurable() throws CommandFailedException {
    return CacheMode.of("-t", cache) != CacheMode.UNSAFE;
  }
}
