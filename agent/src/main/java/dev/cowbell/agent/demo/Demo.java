package dev.cowbell.agent.demo;

import dev.cowbell.agent.backup.Backup;
import dev.cowbell.agent.backup.BackupRequest;
import dev.cowbell.agent.backup.BackupResult;
import dev.cowbell.agent.backup.BackupSettings;
import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.PointId;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoreUrl;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.restore.PointChoice;
import dev.cowbell.agent.restore.Restore;
import dev.cowbell.agent.restore.RestoreRequest;
import dev.cowbell.agent.source.ImageFormat;
import dev.cowbell.agent.verify.Sample;
import dev.cowbell.agent.verify.Verify;
import dev.cowbell.agent.verify.VerifyReport;
import dev.cowbell.agent.verify.VerifyRequest;
import dev.cowbell.bitmaps.Run;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.build.CopyListener;
import dev.cowbell.qcow2.build.DiskCopy;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.build.NewQcow2Image;
import dev.cowbell.qcow2.build.PendingFile;
import dev.cowbell.qcow2.overlay.Sha256;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Backs up a disk, changes it, backs it up again, restores both states and compares them: the main
 * job with real images, a real repository, and nothing but Cowbell.
 */
public final class Demo {

  private static final VmName VM = new VmName("demo");
  private static final DiskName DISK = new DiskName("vda");

  private final Path folder;
  private final BackupSettings settings;
  private final Teller teller;

  /** Is told what happens, in words for people. */
  @FunctionalInterface
  public interface Teller {
    void tell(String line);
  }

  /**
   * @param folder empty; gets the image, the repository and what is restored
   */
  public Demo(Path folder, BackupSettings settings, Teller teller) {
    this.folder = folder;
    this.settings = settings;
    this.teller = teller;
  }

  /**
   * Shows it.
   *
   * @throws IOException if anything does not go as it must
   */
  public void run() throws IOException {
    Path image = folder.resolve("vda.qcow2");
    StoreUrl url = new StoreUrl.Directory(folder.resolve("repository"));
    SampleDisk before = new SampleDisk(0);
    SampleDisk after = new SampleDisk(1);
    makeImage(image, before);
    teller.tell(
        "1. Made a disk image, %s: %s for the guest, %s of it in use."
            .formatted(image.getFileName(), mib(before.size()), mib(usedBytes(before))));
    try (ObjectStore store = url.open(StoreUrl.Missing.CREATE, settings.clock())) {
      Repository.init(store, settings.clock());
    }
    try (Repository repository =
        Repository.adopt(url.open(StoreUrl.Missing.REFUSE, settings.clock()))) {
      Manifest full = backUp(repository, image, "2. Backed it up in full");
      change(image, after);
      Manifest increment = backUp(repository, image, "4. Backed it up again, incrementally");
      require(
          increment.disk(DISK).orElseThrow().parent().equals(Optional.of(full.point())),
          "the second backup is not an increment upon the first");
      restore(repository, full, before, "5. Restored the first state");
      restore(repository, increment, after, "6. Restored the second state");
      verify(repository);
    }
  }

  private static void makeImage(Path image, SampleDisk content) throws IOException {
    try (PendingFile pending = PendingFile.of(image)) {
      DiskCopy.of(
              content,
              new NewQcow2Image(pending.file(), content.size(), NewImageOptions.DEFAULT),
              CopyListener.NONE)
          .run();
      pending.publish(PendingFile.Existing.REPLACE, false);
    }
  }

  /** Writes to the image as a VM would; its tracking bitmap records where. */
  private void change(Path image, SampleDisk after) throws IOException {
    OpenOptions writing = OpenOptions.strict().withAccess(OpenOptions.Access.READ_WRITE);
    try (Qcow2Image disk = Qcow2Image.open(image, writing)) {
      for (Run run : SampleDisk.changed()) {
        ByteBuffer bytes = ByteBuffer.allocate((int) run.length());
        after.read(run.offset(), bytes);
        disk.write(run.offset(), bytes.flip());
      }
    }
    teller.tell(
        "3. Changed %s of the disk in place, at %d places; the image's tracking bitmap recorded which."
            .formatted(mib(SampleDisk.changed().totalLength()), SampleDisk.changed().runCount()));
  }

  private Manifest backUp(Repository repository, Path image, String what) throws IOException {
    long start = System.nanoTime();
    BackupResult result =
        new Backup(repository, settings)
            .run(
                new BackupRequest(
                    VM,
                    List.of(new BackupRequest.Disk(DISK, image, Optional.of(ImageFormat.QCOW2))),
                    Optional.empty(),
                    BackupRequest.Extent.AUTO,
                    Optional.empty(),
                    Map.of()));
    Manifest point = result.manifest();
    teller.tell(
        "%s: point %s, %s of changes stored in %s, %d ms."
            .formatted(
                what,
                point.point(),
                mib(point.changedBytes()),
                mib(point.storedBytes()),
                millisSince(start)));
    return point;
  }

  private void restore(Repository repository, Manifest point, SampleDisk expected, String what)
      throws IOException {
    long start = System.nanoTime();
    PointId id = point.point();
    Path target = folder.resolve("restored-" + id + ".raw");
    new Restore(repository, Progress.NONE, settings.cancellation())
        .run(
            new RestoreRequest(
                VM,
                new PointChoice.Named(id.value()),
                Optional.of(DISK),
                target,
                RestoreRequest.Format.RAW,
                RestoreRequest.Existing.REFUSE,
                RestoreRequest.Tracking.NONE));
    long millis = millisSince(start);
    String wanted = sha256(expected);
    String found = sha256(target);
    require(found.equals(wanted), "%s has SHA-256 %s, not %s".formatted(target, found, wanted));
    teller.tell(
        "%s to %s in %d ms; SHA-256 is the original's: %s"
            .formatted(what, target.getFileName(), millis, found));
  }

  private void verify(Repository repository) throws IOException {
    VerifyReport report =
        new Verify(repository, Progress.NONE, new Cancellation())
            .run(
                new VerifyRequest(
                    Optional.of(VM),
                    Optional.empty(),
                    VerifyRequest.Level.DATA,
                    new Sample.Everything()));
    require(report.damage().isEmpty(), "verify found damage: " + report.damage());
    teller.tell(
        "7. Verified %d points, every stored byte of them: no damage.".formatted(report.points()));
  }

  private static void require(boolean holds, String otherwise) throws IOException {
    if (!holds) {
      throw new IOException(otherwise);
    }
  }

  private static long usedBytes(SampleDisk disk) {
    return disk.extents(0, disk.size()).stream()
        .filter(extent -> extent.status() == dev.cowbell.qcow2.Extent.Status.DATA)
        .mapToLong(dev.cowbell.qcow2.Extent::length)
        .sum();
  }

  private static String sha256(SampleDisk disk) {
    ByteBuffer all = ByteBuffer.allocate((int) disk.size());
    disk.read(0, all);
    return Sha256.of(all.flip()).hex();
  }

  private static String sha256(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      return Sha256.of(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size())).hex();
    }
  }

  private static String mib(long bytes) {
    return String.format(java.util.Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20));
  }

  private static long millisSince(long start) {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
  }
}
