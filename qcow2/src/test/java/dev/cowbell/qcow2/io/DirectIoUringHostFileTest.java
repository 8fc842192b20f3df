package dev.cowbell.qcow2.io;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;

class DirectIoUringHostFileTest extends HostFileContract {
  @Override
  HostFile open(Path path) throws IOException {
    assumeTrue(HostIo.allowsIoUring(), "the kernel allows no io_uring here");
    return HostIo.DIRECT_IO_URING.open(path, ImageLock.Use.WRITE);
  }

  @Override
  boolean isOnHost() {
    return true;
  }
}
