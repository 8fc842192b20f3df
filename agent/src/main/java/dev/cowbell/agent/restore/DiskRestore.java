package dev.cowbell.agent.restore;

import dev.cowbell.agent.observe.Cancellation;
import dev.cowbell.agent.observe.Progress;
import dev.cowbell.agent.observe.Progress.Phase;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoredChain;
import dev.cowbell.agent.restore.RestorePlan.DiskTarget;
import dev.cowbell.agent.restore.RestorePlan.Target;
import dev.cowbell.agent.restore.RestoreRequest.Existing;
import dev.cowbell.agent.restore.RestoreRequest.Format;
import dev.cowbell.agent.source.TrackingBitmap;
import dev.cowbell.qcow2.bitmap.BitmapEditor;
import dev.cowbell.qcow2.build.DiskCopy;
import dev.cowbell.qcow2.build.NewImageOptions;
import dev.cowbell.qcow2.build.NewQcow2Image;
import dev.cowbell.qcow2.build.PendingFile;
import dev.cowbell.qcow2.crypto.LuksOptions;
import dev.cowbell.qcow2.crypto.NewLuks;
import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import dev.cowbell.qcow2.io.WritebackHostFile;
import dev.cowbell.qcow2.overlay.ChainReader;
import dev.cowbell.qcow2.overlay.OverlayChainDisk;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** One disk being rebuilt. Closing it before {@link #publish} leaves nothing of a new file. */
final class DiskRestore implements Closeable {

  private static final int READS = 16;

  private final DiskTarget disk;
  private final Existing existing;
  private final Optional<Passphrase> passphrase;
  private final Optional<PendingFile> pending;
  private final @Nullable HostFile device;
  private final WritebackHostFile file;

  private DiskRestore(
      DiskTarget disk,
      Existing existing,
      Optional<Passphrase> passphrase,
      Optional<PendingFile> pending,
      @Nullable HostFile device) {
    this.disk = disk;
    this.existing = existing;
    this.passphrase = passphrase;
    this.pending = pending;
    this.device = device;
    this.file = WritebackHostFile.over(device != null ? device : pending.orElseThrow().file());
  }

  /**
   * Prepares the place for a disk.
   *
   * @param passphrase opens the result; empty for one that is not encrypted
   */
  static DiskRestore begin(DiskTarget disk, Existing existing, Optional<Passphrase> passphrase)
      throws IOException {
    return switch (disk.target()) {
      case Target.BlockDevice(var path) ->
          new DiskRestore(
              disk,
              existing,
              passphrase,
              Optional.empty(),
              ChannelHostFile.open(path, ImageLock.Use.WRITE));
      case Target.ReplacedFile(var path) -> {
        // whoever has the old file open would go on with it, unseen
        if (Files.isWritable(path)) {
          ChannelHostFile.open(path, ImageLock.Use.WRITE).close();
        }
        yield new DiskRestore(disk, existing, passphrase, Optional.of(PendingFile.of(path)), null);
      }
      case Target.NewFile(var path) ->
          new DiskRestore(disk, existing, passphrase, Optional.of(PendingFile.of(path)), null);
    };
  }

  /** Writes the disk's content. */
  void run(Repository repository, Progress progress, Cancellation cancellation) throws IOException {
    StoredChain chain = StoredChain.open(repository.store(), disk.chain().links());
    try (Phase phase = progress.begin(disk.chain().disk() + ": restoring", disk.size())) {
      if (disk.format() == Format.RAW) {
        writeRaw(chain, phase, cancellation);
      } else {
        writeQcow2(chain, phase, cancellation);
      }
    }
  }

  private void writeRaw(StoredChain chain, Phase phase, Cancellation cancellation)
      throws IOException {
    boolean isNew = device == null;
    try (RawSink sink = RawSink.begin(file, disk.size(), isNew, phase, cancellation)) {
      chain.read(() ->
          new ChainReader(chain.chain(), Runtime.getRuntime().availableProcessors(), READS)
              .readAll(sink));
    }
  }

  private void writeQcow2(StoredChain chain, Phase phase, Cancellation cancellation)
      throws IOException {
    Optional<NewLuks> luks = passphrase.map(p -> NewLuks.create(LuksOptions.defaults(), p));
    try (NewLuks _ = luks.orElse(null);
        OverlayChainDisk content = new OverlayChainDisk(chain.chain())) {
      NewQcow2Image image =
          new NewQcow2Image(file, chain.chain().size(), NewImageOptions.DEFAULT, luks);
      chain.read(() ->
          DiskCopy.of(
                  content,
                  image,
                  bytes -> {
                    cancellation.check();
                    phase.advance(bytes);
                  })
              .run());
    }
    if (disk.tracking().isPresent()) {
      try (BitmapEditor editor = BitmapEditor.open(file)) {
        TrackingBitmap.add(editor, disk.tracking().get());
        editor.commit();
      }
    }
  }

  /** Gives a complete file its name, durably. */
  void publish() throws IOException {
    file.flush();
    if (pending.isPresent()) {
      pending
          .get()
          .publish(
              existing == Existing.OVERWRITE
                  ? PendingFile.Existing.REPLACE
                  : PendingFile.Existing.KEEP,
              true);
    }
  }

  @Override
  public void close() throws IOException {
    file.close();
    if (device != null) {
      device.close();
    }
    if (pending.isPresent()) {
      pending.get().close();
    }
  }
}
