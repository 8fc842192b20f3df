package dev.cowbell.agent.repository;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Who holds a lease.
 *
 * @param host for people
 * @param process its id where it runs
 * @param started when the process was started, in clock ticks since the boot; -1 if unknown
 * @param place names the boot and the process namespace that the id belongs to; empty if unknown
 * @param nonce tells the leases of one process apart
 */
record LeaseOwner(String host, long process, long started, String place, String nonce) {

  static final int MAX_TEXT = 256;
  private static final int START_TIME_FIELD = 19;
  private static final SecureRandom RANDOM = new SecureRandom();

  /** The nonces of leases that this process holds. */
  private static final Set<String> HELD_HERE = ConcurrentHashMap.newKeySet();

  /** A new owner in this process. */
  static LeaseOwner here(String host) {
    byte[] nonce = new byte[8];
    RANDOM.nextBytes(nonce);
    long process = ProcessHandle.current().pid();
    LeaseOwner owner =
        new LeaseOwner(
            host, process, startOf(process), placeHere(), HexFormat.of().formatHex(nonce));
    HELD_HERE.add(owner.nonce);
    return owner;
  }

  /** The lease was given back, or lost. */
  void isDone() {
    HELD_HERE.remove(nonce);
  }

  /** What can be known of an owner without waiting. */
  enum State {
    /** It runs on this host. */
    ALIVE,
    /** It ran on this host, and is no more. */
    DEAD,
    /** It is elsewhere. */
    UNKNOWN
  }

  State state() {
    if (place.isEmpty() || started < 0 || !place.equals(placeHere())) {
      return State.UNKNOWN;
    }
    if (startOf(process) != started) {
      return State.DEAD;
    }
    boolean mine = process == ProcessHandle.current().pid();
    return mine && !HELD_HERE.contains(nonce) ? State.DEAD : State.ALIVE;
  }

  /** Process ids mean something within one boot and one process namespace only. */
  private static String placeHere() {
    try {
      return Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip()
          + " "
          + Files.readSymbolicLink(Path.of("/proc/self/ns/pid"));
    } catch (IOException | UnsupportedOperationException e) {
      return "";
    }
  }

  private static long startOf(long process) {
    try {
      String stat =
          new String(
              Files.readAllBytes(Path.of("/proc/" + process + "/stat")),
              StandardCharsets.ISO_8859_1);
      // the name in parentheses may hold anything; field 22 counts from behind it
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
      boolean gone = fields[0].equals("Z") || fields[0].equals("X");
      return gone ? -1 : Long.parseLong(fields[START_TIME_FIELD]);
    } catch (IOException | RuntimeException e) {
      return -1;
    }
  }

  @Override
  public String toString() {
    return "process %d on %s".formatted(process, Names.shown(host));
  }
}
