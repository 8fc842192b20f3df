package dev.cowbell.agent.cli;

import static dev.cowbell.agent.cli.CommandLineUnderTest.cowbell;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class CommandRunnerTest {

  @Test
  void prints_the_version_that_was_built() {
    var result = cowbell("--version");
    assertThat(result.exitCode()).isZero();
    assertThat(result.out()).matches("cowbell [0-9]+\\.[0-9]+\\.[0-9]+(-SNAPSHOT)?\n");
    assertThat(result.err()).isEmpty();
  }

  @Test
  void an_unknown_command_is_one_line_and_exit_2() {
    var result = cowbell("bakup");
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.out()).isEmpty();
    assertThat(result.err())
        .isEqualTo(
            "cowbell: \"bakup\" is no command of cowbell; alike: backup; see cowbell --help\n");
    assertThat(cowbell("image", "ckeck").err())
        .startsWith("cowbell image: \"ckeck\" is no command of cowbell image; alike: check;");
  }

  @Test
  void a_missing_subcommand_is_named_and_exit_2() {
    var result = cowbell("image");
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err()).startsWith("cowbell image: a subcommand is missing").hasLineCount(1);
  }

  @Test
  void a_stack_trace_is_shown_with_vv_only() {
    assertThat(cowbell("-v", "image").err()).hasLineCount(1);
    assertThat(cowbell("-vv", "image").err()).contains("\tat ");
    assertThat(cowbell("image", "-v", "-v").err()).contains("\tat ");
  }

  @Test
  void help_goes_to_standard_output() {
    var result = cowbell("image", "--help");
    assertThat(result.exitCode()).isZero();
    assertThat(result.out()).startsWith("Usage: cowbell image");
    assertThat(result.err()).isEmpty();
  }
}
