package dev.cowbell.qcow2.io;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;

class DirectIoUringHostFileTest extends HostFileContract {

  /** Where the kernel forbids io_uring it has to be refused, and the rest holds without it. */
  @Override
  HostFile open(Path path) throws IOException {
    if (!HostIo.allowsIoUring()) {
      assertThatThrownBy(() -> HostIo.DIRECT_IO_URING.open(path, ImageLock.Use.WRITE))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("io_uring can't be used here");
      return HostIo.DIRECT.open(path, ImageLock.Use.WRITE);
    }
    return HostIo.DIRECT_IO_URING.open(path, ImageLock.Use.WRITE);
  }

  @Override
  boolean isOnHost() {
    return true;
  }
}
