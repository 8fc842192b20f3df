package dev.cowbell.qcow2.io;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What direct I/O on a file asks of requests.
 *
 * @param memory what buffers' addresses have to be multiples of, a power of two
 * @param block what offsets and lengths have to be multiples of, a power of two
 */
record DirectAlignment(int memory, int block) {
  private static final int AT_EMPTY_PATH = 0x1000;
  private static final int STATX_DIOALIGN = 0x2000;
  private static final int STATX_SIZE = 256;
  private static final int MASK_AT = 0;
  private static final int MEMORY_AT = 0x98;
  private static final int BLOCK_AT = 0x9c;

  DirectAlignment {
    if (Integer.bitCount(memory) != 1 || Integer.bitCount(block) != 1) {
      throw new IllegalArgumentException("alignments of " + memory + " and " + block + " bytes");
    }
  }

  boolean allowsMemory(long address) {
    return (address & (memory - 1)) == 0;
  }

  /**
   * Asks the kernel (6.1 and newer); where it does not tell, pages fit every device, and a first
   * read proves it.
   *
   * @throws IOException if the file can't be used so
   */
  static DirectAlignment of(NativeFile direct, String name) throws IOException {
    int told = 0;
    int memory = 0;
    int block = 0;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stat = arena.allocate(STATX_SIZE, Long.BYTES);
      MemorySegment empty = arena.allocateFrom("");
      int result =
          Libc.callInt(
              Libc.STATX,
              direct.descriptor(),
              empty.address(),
              AT_EMPTY_PATH,
              STATX_DIOALIGN,
              stat.address());
      if (result == 0) {
        told = stat.get(ValueLayout.JAVA_INT, MASK_AT) & STATX_DIOALIGN;
        memory = stat.get(ValueLayout.JAVA_INT, MEMORY_AT);
        block = stat.get(ValueLayout.JAVA_INT, BLOCK_AT);
      }
    }
    if (told == 0) {
      memory = NativeBuffers.ALIGNMENT;
      block = NativeBuffers.ALIGNMENT;
    } else if (block == 0 || Math.max(memory, block) > NativeBuffers.ALIGNMENT) {
      throw new IOException(
          "%s: direct I/O needs blocks of %d bytes at addresses of %d; possible are 1 to %d"
              .formatted(name, block, memory, NativeBuffers.ALIGNMENT));
    }
    DirectAlignment found = new DirectAlignment(memory, block);
    found.prove(direct, name);
    return found;
  }

  private void prove(NativeFile direct, String name) throws IOException {
    MemorySegment buffer = NativeBuffers.take();
    try {
      int got = direct.read(buffer.address(), 0, block);
      if (got < 0) {
        throw Libc.failure(name + ": direct I/O with blocks of " + block + " bytes", -got);
      }
    } finally {
      NativeBuffers.giveBack(buffer);
    }
  }
}
