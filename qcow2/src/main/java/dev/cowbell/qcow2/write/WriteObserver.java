package dev.cowbell.qcow2.write;

import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.refcount.ClusterAllocator;
import dev.cowbell.qcow2.refcount.HeadWriter;
import java.io.IOException;

/** Learns of every change to the guest's disk before it happens, as dirty bitmaps have to. */
public interface WriteObserver {

  /** Notices nothing. */
  WriteObserver NONE = (at, length) -> {};

  /**
   * Guest bytes are about to be written, zeroed or discarded. Called from many threads at once, and
   * in no order with the changes themselves. If it fails, so does the change.
   */
  void beforeChange(long at, long length) throws IOException;

  /** The guest asks for a flush; called before it, from many threads at once. */
  default void beforeFlush() throws IOException {}

  /**
   * The image is being closed: everything is durable, nothing changes any more, and clusters may be
   * allocated and freed for what is to be stored. Leaves nothing uncommitted behind.
   */
  default void beforeClose(HostFile file, HeadWriter head, ClusterAllocator allocator)
      throws IOException {}
}
