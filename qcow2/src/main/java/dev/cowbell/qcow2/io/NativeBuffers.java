package dev.cowbell.qcow2.io;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.ArrayBlockingQueue;

/**
 * Page-aligned native memory for bytes on their way between the kernel and a buffer that the kernel
 * can't reach or that is not aligned. One pool for the process; what exceeds it is left to the
 * garbage collector.
 */
final class NativeBuffers {
  /** The bytes of each. */
  static final int SIZE = 256 << 10;

  /** Enough alignment for direct I/O on every device. */
  static final int ALIGNMENT = 4096;

  private static final int POOLED = 64;
  private static final ArrayBlockingQueue<MemorySegment> FREE = new ArrayBlockingQueue<>(POOLED);

  private NativeBuffers() {}

  static MemorySegment take() {
    MemorySegment free = FREE.poll();
    return free == null ? Arena.ofAuto().allocate(SIZE, ALIGNMENT) : free;
  }

  static void giveBack(MemorySegment buffer) {
    // The answer says whether the pool had room; if not, the collector takes the buffer.
    boolean _ = FREE.offer(buffer);
  }
}
