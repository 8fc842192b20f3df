/**
 * Disk images as their guest sees them, read and written: qcow2 of every variant ({@link
 * dev.cowbell.qcow2.Qcow2Image}) and raw ({@link dev.cowbell.qcow2.RawDisk}), with what lies below
 * them.
 *
 * <p>{@link dev.cowbell.qcow2.Qcow2Image#open} opens an image; {@link
 * dev.cowbell.qcow2.OpenOptions} says whether it is to be written to, and which files that it names
 * may be opened: none, unless {@code following()} allows it. The file is locked as QEMU locks it,
 * until it is closed. Offsets and lengths are in bytes and need no alignment, unless a method says
 * otherwise; all methods of an open image may be called from many threads at once.
 *
 * <p>What was written is durable once {@code flush()} or {@code close()} has returned; a crash
 * before that leaves an image that opens, with what was flushed intact, and with leaked clusters at
 * most.
 *
 * <p>Whatever is wrong with an image, its file or what it refers to is an {@link
 * dev.cowbell.qcow2.ImageException}, whose subclasses say what kind of wrong it is; every other
 * failure is the host's own {@link java.io.IOException}.
 */
@NullMarked
package dev.cowbell.qcow2;

import org.jspecify.annotations.NullMarked;
