package dev.cowbell.it.qemu;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Runs a program to its end. A program that is missing or takes too long is a failure. */
public final class Shell {
  public static final Duration TIMEOUT = Duration.ofMinutes(2);

  private Shell() {}

  /** What a program left. */
  public record Result(List<String> command, int exit, String out, String err) {

    /** The standard output of a program that had to succeed. */
    public String success() {
      if (exit != 0) {
        throw new AssertionError(this);
      }
      return out;
    }

    /** The standard error of a program that had to fail. */
    public String failure() {
      if (exit == 0) {
        throw new AssertionError("should have failed: " + this);
      }
      return err;
    }

    @Override
    public String toString() {
      return String.join(" ", command) + "\nexit " + exit + "\n" + out + err;
    }
  }

  /** Runs a command in the current directory. Each argument's text is passed as it is. */
  public static Result run(Object... command) {
    return runIn(Path.of("").toAbsolutePath(), command);
  }

  /** Runs a command in another directory. */
  public static Result runIn(Path directory, Object... command) {
    List<String> words = new ArrayList<>();
    for (Object word : command) {
      words.add(word.toString());
    }
    return run(directory, words, TIMEOUT);
  }

  /** Runs a command, and kills it when it takes longer than allowed. */
  public static Result run(Path directory, List<String> command, Duration timeout) {
    try {
      Process process = new ProcessBuilder(command).directory(directory.toFile()).start();
      process.getOutputStream().close();
      CompletableFuture<String> out = drain(process.getInputStream());
      CompletableFuture<String> err = drain(process.getErrorStream());
      if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
        throw new AssertionError(String.join(" ", command) + " took more than " + timeout);
      }
      return new Result(List.copyOf(command), process.exitValue(), out.join(), err.join());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  private static CompletableFuture<String> drain(InputStream stream) {
    CompletableFuture<String> text = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          ByteArrayOutputStream all = new ByteArrayOutputStream();
          try {
            stream.transferTo(all);
          } catch (IOException e) {
            text.completeExceptionally(e);
            return;
          }
          text.complete(all.toString(StandardCharsets.UTF_8));
        });
    return text;
  }
}
