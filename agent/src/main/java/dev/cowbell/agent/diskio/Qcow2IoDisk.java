package dev.cowbell.agent.diskio;

import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.WritableDisk;
import dev.cowbell.qcow2.compress.ClusterPacker;
import dev.cowbell.qcow2.format.Geometry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A qcow2 image. */
public record Qcow2IoDisk(Qcow2Image image, Access access, Specifics specifics) implements IoDisk {

  private static final int SECTOR = 512;

  /** Says what only the format has, in qemu-img's lines. */
  @FunctionalInterface
  public interface Specifics {
    List<String> lines() throws IOException;
  }

  @Override
  public MappedDisk disk() {
    return image;
  }

  @Override
  public Optional<WritableDisk> writable() {
    return access == Access.READ_WRITE ? Optional.of(image) : Optional.empty();
  }

  @Override
  public void writeCompressed(long at, ByteBuffer data) throws IOException {
    try (ClusterPacker packer = ClusterPacker.of(image.head().header().compressionType())) {
      image.writeCompressed(at, data, packer);
    }
  }

  @Override
  public void resize(long size) throws IOException {
    if (size % SECTOR != 0) {
      throw new IllegalArgumentException("The new size must be a multiple of " + SECTOR);
    }
    image.resize(size, Qcow2Image.Shrinking.ALLOWED);
  }

  @Override
  public List<String> info() throws IOException {
    Geometry geometry = image.head().header().geometry();
    // The VM state lies behind the disk, from the next L2 table on.
    long vmState = geometry.l1EntriesFor(image.size()) * geometry.l2Coverage();
    List<String> lines = new ArrayList<>();
    lines.add("format name: qcow2");
    lines.add("cluster size: " + IoReport.size(geometry.clusterSize()));
    lines.add("vm state offset: " + IoReport.size(vmState));
    lines.addAll(specifics.lines());
    return lines;
  }

  @Override
  public void close() throws IOException {
    image.close();
  }
}
