package dev.cowbell.agent.diskio;

import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;

/** The C library's words for what went wrong, which qemu-io prints. */
final class SystemError {

  private static final String NO_SPACE = "No space left on device";

  private SystemError() {}

  static String of(Exception e) {
    return switch (e) {
      case NoSuchFileException _ -> "No such file or directory";
      case AccessDeniedException _ -> "Permission denied";
      case UnsupportedOperationException _ -> "Operation not supported";
      case IllegalArgumentException _ -> "Invalid argument";
      case Exception _ when String.valueOf(e.getMessage()).contains(NO_SPACE) -> NO_SPACE;
      case Exception _ -> "Input/output error";
    };
  }
}
