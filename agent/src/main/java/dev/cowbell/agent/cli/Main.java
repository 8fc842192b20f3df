package dev.cowbell.agent.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The process: runs the command line it was started with, and ends cleanly when interrupted. */
public final class Main {

  /** How long an interrupted command may take to clean up. */
  private static final int CLEAN_UP_SECONDS = 30;

  private Main() {}

  public static void main(String[] args) {
    if (args.length == 1 && (args[0].equals("--version") || args[0].equals("-V"))) {
      System.out.println(Version.line()); // needs no command tree, which takes a while to build
      return;
    }
    Console console = Console.ofProcess();
    CountDownLatch ended = new CountDownLatch(1);
    Thread onInterrupt = new Thread(() -> unwind(console, ended), "interrupt");
    Runtime.getRuntime().addShutdownHook(onInterrupt);
    int code;
    try {
      code = CommandRunner.run(console, args);
    } finally {
      ended.countDown();
    }
    try {
      Runtime.getRuntime().removeShutdownHook(onInterrupt);
    } catch (IllegalStateException interrupted) {
      return; // the hook ends the process
    }
    if (code != ExitCode.DONE.code() || othersRun()) {
      System.exit(code);
    }
    // Returning ends the process, too, and sooner: exit first looks for a logger in every jar.
  }

  /** Whether any thread but this one keeps the process alive. */
  private static boolean othersRun() {
    Thread[] threads = new Thread[Thread.activeCount() + 1];
    int count = Thread.enumerate(threads);
    return Stream.of(threads)
        .limit(count)
        .anyMatch(thread -> !thread.isDaemon() && thread != Thread.currentThread());
  }

  private static void unwind(Console console, CountDownLatch ended) {
    console.cancellation().request();
    try {
      if (!ended.await(CLEAN_UP_SECONDS, TimeUnit.SECONDS)) {
        console.err().println("cowbell: interrupted; gave up waiting for the command to clean up");
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().halt(ExitCode.INTERRUPTED.code());
  }
}
