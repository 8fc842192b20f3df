package dev.cowbell.agent.restore;

import dev.cowbell.agent.RefusedException;
import dev.cowbell.agent.repository.Catalogue;
import dev.cowbell.agent.repository.DiskChain;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.DiskRecord;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.TrackingRecord;
import dev.cowbell.agent.restore.RestorePlan.DiskTarget;
import dev.cowbell.agent.restore.RestorePlan.Target;
import dev.cowbell.agent.restore.RestoreRequest.Existing;
import dev.cowbell.agent.restore.RestoreRequest.Format;
import dev.cowbell.agent.restore.RestoreRequest.Tracking;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Finds out which overlays a restore needs and where each disk goes. */
final class RestorePlanner {

  private static final long DEFAULT_GRANULARITY = 64 << 10;

  private final Catalogue catalogue;
  private final RestoreRequest request;

  RestorePlanner(Catalogue catalogue, RestoreRequest request) {
    this.catalogue = catalogue;
    this.request = request;
  }

  RestorePlan plan() throws IOException {
    if (request.tracking() == Tracking.ADD && request.format() != Format.QCOW2) {
      throw new RefusedException("--track needs --format qcow2: a raw image can't hold a bitmap");
    }
    if (request.passphrase().isPresent() && request.format() != Format.QCOW2) {
      throw new RefusedException("--encrypt needs --format qcow2: a raw image can't be encrypted");
    }
    Manifest point = request.which().in(catalogue);
    List<DiskName> names =
        request
            .disk()
            .map(List::of)
            .orElseGet(() -> point.disks().stream().map(DiskRecord::name).toList());
    List<DiskTarget> disks = new ArrayList<>();
    for (DiskName name : names) {
      DiskChain chain = catalogue.chain(point, name);
      disks.add(
          new DiskTarget(
              chain,
              chain.top().record().virtualSize(),
              target(name, names.size()),
              request.format(),
              tracking(point, chain)));
    }
    return new RestorePlan(point, disks);
  }

  private Optional<TrackingRecord> tracking(Manifest point, DiskChain chain) {
    if (request.tracking() == Tracking.NONE) {
      return Optional.empty();
    }
    DiskRecord record = chain.top().record();
    return record
        .tracking()
        .or(() ->
            Optional.of(
                new TrackingRecord(
                    TrackingRecord.bitmapName(point.point(), record.name(), point.disks().size()),
                    DEFAULT_GRANULARITY)));
  }

  private Target target(DiskName disk, int disks) throws IOException {
    Path path = request.target();
    if (Files.isDirectory(path)) {
      path = path.resolve(disk + "." + request.format().word());
    } else if (disks > 1) {
      if (Files.exists(path)) {
        throw new RefusedException(
            "%s is not a directory, and there are %d disks to restore".formatted(path, disks),
            "name one with --disk");
      }
      path = path.resolve(disk + "." + request.format().word());
    }
    if (!Files.exists(path, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
      return new Target.NewFile(path);
    }
    if (request.existing() == Existing.REFUSE) {
      throw new FileAlreadyExistsException(
          path.toString(), null, "exists already; --overwrite would replace it");
    }
    if (Files.isRegularFile(path)) {
      return new Target.ReplacedFile(path.toRealPath());
    }
    return blockDevice(path);
  }

  private Target blockDevice(Path path) throws IOException {
    int type = (int) Files.getAttribute(path, "unix:mode") & 0xf000;
    if (type != 0x6000) {
      throw new RefusedException(path + " is neither a regular file nor a block device");
    }
    if (request.format() != Format.RAW) {
      throw new RefusedException("a block device is restored to with --format raw");
    }
    return new Target.BlockDevice(path);
  }
}
