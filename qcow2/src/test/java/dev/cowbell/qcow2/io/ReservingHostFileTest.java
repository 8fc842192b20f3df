package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.nio.file.Path;

/** Reserves where the folder for temporary files is on ext4, and is a plain channel elsewhere. */
class ReservingHostFileTest extends ChannelHostFileTest {
  @Override
  HostFile open(Path path) throws IOException {
    return ReservingHostFile.over(ChannelHostFile.open(path, ImageLock.Use.WRITE));
  }
}
