package dev.cowbell.storage.directory;

import dev.cowbell.storage.AccessDeniedException;
import dev.cowbell.storage.StoreException;
import dev.cowbell.storage.StoreFullException;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/** Says in the words of stores what a file system said. */
final class FileErrors {

  private FileErrors() {}

  /**
   * @param what what was being done to what, such as "writing vms/web/lease.json"
   */
  static StoreException explain(String what, IOException e) {
    if (e instanceof StoreException explained) {
      return explained;
    }
    String reason = reason(e);
    String message = what + ": " + reason;
    if (e instanceof java.nio.file.AccessDeniedException
        || reason.contains("Operation not permitted")) {
      return new AccessDeniedException(message, e);
    }
    // The kernel's words are all that Java passes on of ENOSPC and EDQUOT.
    if (reason.contains("No space left on device") || reason.contains("quota exceeded")) {
      return new StoreFullException(message, e);
    }
    return new StoreException(message, e);
  }

  private static String reason(IOException e) {
    return switch (e) {
      case NoSuchFileException missing -> missing.getFile() + " does not exist";
      case java.nio.file.AccessDeniedException denied -> denied.getFile() + ": permission denied";
      case FileSystemException file when file.getReason() != null ->
          file.getFile() + ": " + file.getReason();
      case ClosedByInterruptException _ -> "interrupted";
      default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    };
  }
}
