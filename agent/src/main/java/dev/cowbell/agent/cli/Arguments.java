package dev.cowbell.agent.cli;

import dev.cowbell.agent.backup.BackupRequest;
import dev.cowbell.agent.repository.DiskName;
import dev.cowbell.agent.repository.VmName;
import dev.cowbell.agent.source.ImageFormat;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Turns words of the command line into checked values. */
final class Arguments {

  private static final Pattern NAMED_IMAGE = Pattern.compile("([A-Za-z0-9._-]+)=(.+)");

  private Arguments() {}

  static VmName vm(String text) throws CommandFailedException {
    try {
      return new VmName(text);
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage(String.valueOf(e.getMessage()));
    }
  }

  static DiskName disk(String text) throws CommandFailedException {
    try {
      return new DiskName(text);
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage(String.valueOf(e.getMessage()));
    }
  }

  static Path path(String text) throws CommandFailedException {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw CommandFailedException.usage("not a path: " + e.getMessage());
    }
  }

  /** The images of {@code [DISK=]IMAGE…}. */
  static List<BackupRequest.Disk> disks(List<String> words, Optional<ImageFormat> format)
      throws CommandFailedException {
    List<BackupRequest.Disk> disks = new ArrayList<>();
    for (String word : words) {
      Matcher named = NAMED_IMAGE.matcher(word);
      Path image = path(named.matches() ? named.group(2) : word);
      DiskName name = named.matches() ? disk(named.group(1)) : nameOf(image);
      disks.add(new BackupRequest.Disk(name, image, format));
    }
    return disks;
  }

  private static DiskName nameOf(Path image) throws CommandFailedException {
    String file = image.getFileName() == null ? "" : image.getFileName().toString();
    int dot = file.lastIndexOf('.');
    try {
      return new DiskName(dot > 0 ? file.substring(0, dot) : file);
    } catch (IllegalArgumentException e) {
      throw CommandFailedException.usage(String.valueOf(e.getMessage()))
          .hint("name the disk, as in vda=" + image);
    }
  }
}
