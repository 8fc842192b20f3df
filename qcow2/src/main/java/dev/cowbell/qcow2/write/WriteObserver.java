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
   * Guest bytes are about to be written, zeroed or discarded. Called from many threads at once,
   * with the image's lock held. If it fails, so does the change. May be called again for the same
   * change.
   */
  void beforeChange(long at, long length) throws IOException;

  /**
   * The disk is about to get another size; nothing else goes on. Whoever can't follow fails, and
   * the size stays.
   */
  default void beforeResize(long newSize) throws IOException {}

  /** The guest asks for a flush; called before it, from many threads at once. */
  default void beforeFlush() throws IOException {}

  /**
   * The image is being closed: everything is durable, nothing changes any more, and clusters may be
   * allocated and freed for what is to be stored. Leaves nothing uncommitted behind.
   */
  default void beforeClose(HostFile file, HeadWriter head, ClusterAllocator allocator)
      throws IOException {}
}
