package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Has the kernel refuse a system call to one thread for the rest of its life (seccomp). */
final class ForbiddenCall {
  static final int IO_URING_SETUP = 425;
  static final int IO_URING_ENTER = 426;

  private static final boolean ARM = System.getProperty("os.arch").equals("aarch64");
  private static final int PRCTL = ARM ? 167 : 157;
  private static final int SECCOMP = ARM ? 277 : 317;
  private static final int NO_NEW_PRIVILEGES = 38;
  private static final int SET_FILTER = 1;

  private static final int LOAD = 0x20;
  private static final int JUMP_IF_EQUAL = 0x15;
  private static final int RETURN = 0x06;
  private static final int REFUSE_WITH_EPERM = 0x0005_0000 | Libc.EPERM;
  private static final int ALLOW = 0x7fff_0000;

  private ForbiddenCall() {}

  /** Refuses a call with EPERM to the calling thread, which has to be one that ends soon. */
  static void toThisThread(int call) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment filter = arena.allocate(4 * 8, 8);
      instruction(filter, 0, LOAD, 0, 0, 0);
      instruction(filter, 1, JUMP_IF_EQUAL, 0, 1, call);
      instruction(filter, 2, RETURN, 0, 0, REFUSE_WITH_EPERM);
      instruction(filter, 3, RETURN, 0, 0, ALLOW);
      MemorySegment program = arena.allocate(16, 8);
      program.set(ValueLayout.JAVA_SHORT, 0, (short) 4);
      program.set(ValueLayout.JAVA_LONG, 8, filter.address());
      check("prctl", Libc.syscall(PRCTL, NO_NEW_PRIVILEGES, 1, 0, 0, 0, 0));
      check("seccomp", Libc.syscall(SECCOMP, SET_FILTER, 0, program.address(), 0, 0, 0));
    }
  }

  private static void instruction(
      MemorySegment filter, int index, int code, int ifTrue, int ifFalse, int value) {
    filter.set(ValueLayout.JAVA_SHORT, index * 8L, (short) code);
    filter.set(ValueLayout.JAVA_BYTE, index * 8L + 2, (byte) ifTrue);
    filter.set(ValueLayout.JAVA_BYTE, index * 8L + 3, (byte) ifFalse);
    filter.set(ValueLayout.JAVA_INT, index * 8L + 4, value);
  }

  private static void check(String call, long result) throws IOException {
    if (result != 0) {
      throw Libc.failure(call, (int) -result);
    }
  }
}
