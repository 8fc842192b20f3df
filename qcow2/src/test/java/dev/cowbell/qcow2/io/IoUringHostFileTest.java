package dev.cowbell.qcow2.io;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;

class IoUringHostFileTest extends HostFileContract {

  /** Where the kernel forbids io_uring it has to be refused, and the rest holds without it. */
  @Override
  HostFile open(Path path) throws IOException {
    if (!HostIo.allowsIoUring()) {
      assertThatThrownBy(() -> HostIo.IO_URING.open(path, ImageLock.Use.WRITE))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("io_uring can't be used here");
      return HostIo.CHANNEL.open(path, ImageLock.Use.WRITE);
    }
    return HostIo.IO_URING.open(path, ImageLock.Use.WRITE);
  }

  @Override
  boolean isOnHost() {
    return true;
  }
}
