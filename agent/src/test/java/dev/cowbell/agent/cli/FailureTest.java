package dev.cowbell.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.agent.observe.CancelledException;
import dev.cowbell.storage.ObjectNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

final class FailureTest {

  @Test
  void a_missing_file_or_object_is_not_found() {
    assertThat(Failure.of(new NoSuchFileException("/a/b")).exitCode())
        .isEqualTo(ExitCode.NOT_FOUND);
    assertThat(Failure.of(new NoSuchFileException("/a/b")).line("cowbell"))
        .isEqualTo("cowbell: /a/b: no such file or directory");
    assertThat(Failure.of(new ObjectNotFoundException("gone")).exitCode())
        .isEqualTo(ExitCode.NOT_FOUND);
  }

  @Test
  void a_cause_is_looked_at_where_the_exception_only_carries_it() {
    IOException gone = new NoSuchFileException("/a/b");
    assertThat(Failure.of(new UncheckedIOException(gone))).isEqualTo(Failure.of(gone));
    assertThat(Failure.of(new ExecutionException(gone))).isEqualTo(Failure.of(gone));
  }

  @Test
  void file_system_errors_name_the_file_and_the_reason() {
    assertThat(Failure.of(new AccessDeniedException("/a")).line("cowbell"))
        .isEqualTo("cowbell: /a: permission denied");
    assertThat(
            Failure.of(new FileSystemException("/a", null, "No space left on device"))
                .line("cowbell"))
        .isEqualTo("cowbell: /a: No space left on device");
  }

  @Test
  void being_interrupted_is_130() {
    assertThat(Failure.of(new CancelledException()).exitCode().code()).isEqualTo(130);
  }

  @Test
  void a_hint_follows_the_message() {
    var thrown =
        CommandFailedException.because(ExitCode.LOCKED, "disk.qcow2: in use").hint("stop the VM");
    Failure failure = Failure.of(thrown);
    assertThat(failure.exitCode().code()).isEqualTo(5);
    assertThat(failure.line("cowbell backup"))
        .isEqualTo("cowbell backup: disk.qcow2: in use; stop the VM");
  }

  @Test
  void anything_unexpected_is_one_line_that_says_so() {
    Failure failure = Failure.of(new IllegalStateException("a\nb\u001b[31m"));
    assertThat(failure.exitCode()).isEqualTo(ExitCode.FAILED);
    assertThat(failure.line("cowbell"))
        .isEqualTo(
            "cowbell: internal error: IllegalStateException: a b?[31m; -vv shows where; please"
                + " report it");
    assertThat(Failure.of(new StackOverflowError()).exitCode()).isEqualTo(ExitCode.FAILED);
  }

  @Test
  void a_line_stays_short_whatever_an_image_claims() {
    assertThat(Failure.of(new IOException("x".repeat(1_000_000))).line("cowbell"))
        .hasSizeLessThan(2100);
  }
}
