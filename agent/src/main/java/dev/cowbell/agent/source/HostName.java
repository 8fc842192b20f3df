package dev.cowbell.agent.source;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What this host calls itself. */
public final class HostName {

  private static final Path KERNELS = Path.of("/proc/sys/kernel/hostname");
  private static final int MAX_LENGTH = 255;

  private HostName() {}

  /** The kernel's name for the host; asking a name server could take long. */
  public static String current() {
    try {
      String name = Files.readString(KERNELS).strip();
      return name.length() > MAX_LENGTH ? name.substring(0, MAX_LENGTH) : name;
    } catch (IOException e) {
      return "unknown";
    }
  }
}
