/**
 * The on-disk format of qcow2's persistent dirty bitmaps: bytes in, values out, and back. No I/O.
 */
@NullMarked
package dev.cowbell.bitmaps.directory;

import org.jspecify.annotations.NullMarked;
