package dev.cowbell.it.fuzz;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Inputs that fuzzing found stay harmless. */
final class KeptInputsTest {
  private static final Duration LONGEST = Duration.ofSeconds(20);

  static List<Arguments> kept() throws IOException {
    List<Arguments> inputs = new ArrayList<>();
    for (FuzzTarget target : FuzzTarget.values()) {
      for (Path input : KeptInputs.of(target)) {
        inputs.add(Arguments.of(target, input.getFileName().toString(), input));
      }
    }
    return inputs;
  }

  @ParameterizedTest(name = "{0}: {1}", allowZeroInvocations = true)
  @MethodSource("kept")
  void a_kept_input_does_no_harm(FuzzTarget target, String name, Path input) {
    assertTimeoutPreemptively(LONGEST, () -> target.run(Files.readAllBytes(input)));
  }

  @Test
  void no_target_minds_nothing_and_little() throws Exception {
    for (FuzzTarget target : FuzzTarget.values()) {
      target.run(new byte[0]);
      target.run(new byte[] {'Q'});
      target.run(new byte[] {'Q', 'F', 'I', (byte) 0xfb});
    }
  }
}
