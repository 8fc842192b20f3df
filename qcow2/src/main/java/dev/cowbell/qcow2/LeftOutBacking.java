package dev.cowbell.qcow2;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.OptionalLong;

/** Stands for a backing file that was not opened: it covers everything and can't be read. */
record LeftOutBacking(String image) implements MappedDisk {

  @Override
  public long size() {
    return Long.MAX_VALUE;
  }

  @Override
  public void read(long at, ByteBuffer dst) throws ReferenceException {
    throw new ReferenceException(
        image + ": guest offset " + at + " is in the backing file, which was not opened");
  }

  @Override
  public void mapLayers(long at, long length, int depth, MapSink sink) throws IOException {
    sink.accept(
        new MapEntry(
            at, length, MapEntry.Kind.ABSENT, depth - 1, OptionalLong.empty(), Optional.empty()));
  }

  @Override
  public void close() {}
}
