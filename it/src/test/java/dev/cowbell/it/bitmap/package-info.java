/** Persistent bitmaps: what QEMU writes and we read, and the reverse. */
@NullMarked
package dev.cowbell.it.bitmap;

import org.jspecify.annotations.NullMarked;
