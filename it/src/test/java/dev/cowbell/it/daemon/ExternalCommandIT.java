package dev.cowbell.it.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.agent.config.HookCommand;
import dev.cowbell.agent.daemon.ExternalCommand;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands of the user's that do not end as they should. */
class ExternalCommandIT {

  @Test
  void kills_what_a_command_started_even_if_only_the_command_heeds_the_request_to_end(
      @TempDir Path folder) throws Exception {
    Path pid = folder.resolve("pid");
    String script =
        "sh -c 'trap \"\" TERM; echo $$ >\"$0.new\"; mv \"$0.new\" \"$0\"; exec sleep 600' \"$0\" & wait";
    ExternalCommand hook =
        new ExternalCommand(
            "before hook",
            new HookCommand(List.of("sh", "-c", script, pid.toString()), Duration.ofSeconds(3)));

    assertThatThrownBy(() -> hook.run(Map.of(), new byte[0]))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("took longer than 3 s");

    long started = Long.parseLong(Files.readString(pid).strip());
    ProcessHandle.of(started)
        .ifPresent(process -> assertThat(process.onExit()).succeedsWithin(Duration.ofSeconds(5)));
  }
}
