package dev.cowbell.agent.diskio;

import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.WritableDisk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/** A raw file. */
public record RawIoDisk(RawDisk raw, boolean isWritable) implements IoDisk {

  /** As QEMU has it, a raw file decides about every byte, holes or not. */
  @Override
  public MappedDisk disk() {
    return raw;
  }

  @Override
  public Optional<WritableDisk> writable() {
    return isWritable ? Optional.of(raw) : Optional.empty();
  }

  @Override
  public void writeCompressed(long at, ByteBuffer data) {
    throw new UnsupportedOperationException("a raw image can't be compressed");
  }

  @Override
  public void resize(long size) throws IOException {
    raw.resize(size);
  }

  @Override
  public List<String> info() {
    return List.of("format name: raw", "cluster size: 0 bytes", "vm state offset: 0 bytes");
  }

  @Override
  public void close() throws IOException {
    raw.close();
  }
}
