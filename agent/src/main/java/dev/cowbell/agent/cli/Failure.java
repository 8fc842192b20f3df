package dev.cowbell.agent.cli;

import dev.cowbell.agent.NotFoundException;
import dev.cowbell.agent.RefusedException;
import dev.cowbell.agent.observe.CancelledException;
import dev.cowbell.agent.repository.LeaseHeldException;
import dev.cowbell.qcow2.BitmapNotFoundException;
import dev.cowbell.qcow2.ImageLockedException;
import dev.cowbell.qcow2.SnapshotNotFoundException;
import dev.cowbell.storage.ObjectNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.Optional;
import java.util.concurrent.ExecutionException;

/**
 * What the user is told when something was thrown, and how the process ends: the one place that
 * turns exceptions into exit codes.
 *
 * @param exitCode how the process ends
 * @param message what, where, what was found, what is allowed
 * @param hint what the user may do about it
 */
record Failure(ExitCode exitCode, String message, Optional<String> hint) {

  /** Never fails, whatever was thrown. */
  static Failure of(Throwable thrown) {
    return switch (thrown) {
      case CommandFailedException e -> new Failure(e.exitCode(), messageOf(e), e.hint());
      case CancelledException _ -> failure(ExitCode.INTERRUPTED, "interrupted");
      case UncheckedIOException e when e.getCause() != null -> of(e.getCause());
      case ExecutionException e when e.getCause() != null -> of(e.getCause());
      case NotFoundException e -> new Failure(ExitCode.NOT_FOUND, messageOf(e), e.hint());
      case RefusedException e -> new Failure(ExitCode.USAGE, messageOf(e), e.hint());
      case ObjectNotFoundException e -> failure(ExitCode.NOT_FOUND, messageOf(e));
      case LeaseHeldException e ->
          new Failure(ExitCode.LOCKED, messageOf(e), Optional.of(e.hint()));
      case ImageLockedException e -> failure(ExitCode.LOCKED, messageOf(e));
      case SnapshotNotFoundException e -> failure(ExitCode.NOT_FOUND, messageOf(e));
      case BitmapNotFoundException e -> failure(ExitCode.NOT_FOUND, messageOf(e));
      case FileSystemException e -> ofFile(e);
      case IOException e -> failure(ExitCode.FAILED, messageOf(e));
      case OutOfMemoryError _ ->
          new Failure(
              ExitCode.FAILED,
              "out of memory: the heap is limited to "
                  + ByteSize.human(Runtime.getRuntime().maxMemory()),
              Optional.of("raise it with COWBELL_JAVA_OPTS=-Xmx1g"));
      default -> internal(thrown);
    };
  }

  private static Failure ofFile(FileSystemException e) {
    String file = e.getFile() == null ? "a file" : e.getFile();
    return switch (e) {
      case NoSuchFileException _ ->
          failure(ExitCode.NOT_FOUND, file + ": no such file or directory");
      case AccessDeniedException _ -> failure(ExitCode.FAILED, file + ": permission denied");
      case FileAlreadyExistsException _ when e.getReason() == null ->
          failure(ExitCode.FAILED, file + ": exists already");
      case DirectoryNotEmptyException _ ->
          failure(ExitCode.FAILED, file + ": the directory is not empty");
      case NotDirectoryException _ -> failure(ExitCode.FAILED, file + ": not a directory");
      default ->
          failure(
              ExitCode.FAILED,
              file + ": " + (e.getReason() == null ? messageOf(e) : e.getReason()));
    };
  }

  private static Failure internal(Throwable thrown) {
    return new Failure(
        ExitCode.FAILED,
        "internal error: " + thrown.getClass().getSimpleName() + ": " + messageOf(thrown),
        Optional.of("-vv shows where; please report it"));
  }

  private static Failure failure(ExitCode exitCode, String message) {
    return new Failure(exitCode, message, Optional.empty());
  }

  private static String messageOf(Throwable thrown) {
    String message = thrown.getMessage();
    return message == null || message.isBlank() ? thrown.getClass().getSimpleName() : message;
  }

  /** The same failure with another exit code. */
  Failure as(ExitCode other) {
    return new Failure(other, message, hint);
  }

  /**
   * The line to print.
   *
   * @param who the command's full name
   */
  String line(String who) {
    return OneLine.of(who + ": " + message + hint.map(h -> "; " + h).orElse(""));
  }
}
