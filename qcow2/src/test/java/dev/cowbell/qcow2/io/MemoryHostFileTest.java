package dev.cowbell.qcow2.io;

import java.nio.file.Path;

class MemoryHostFileTest extends HostFileContract {
  @Override
  HostFile open(Path path) {
    return new MemoryHostFile(path.toString());
  }

  @Override
  boolean isOnHost() {
    return false;
  }
}
