package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.nio.file.Path;

class ChannelHostFileTest extends HostFileContract {
  @Override
  HostFile open(Path path) throws IOException {
    return HostIo.CHANNEL.open(path, ImageLock.Use.WRITE);
  }

  @Override
  boolean isOnHost() {
    return true;
  }
}
