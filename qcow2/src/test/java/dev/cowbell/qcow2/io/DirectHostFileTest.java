package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.nio.file.Path;

class DirectHostFileTest extends HostFileContract {
  @Override
  HostFile open(Path path) throws IOException {
    return HostIo.DIRECT.open(path, ImageLock.Use.WRITE);
  }

  @Override
  boolean isOnHost() {
    return true;
  }
}
