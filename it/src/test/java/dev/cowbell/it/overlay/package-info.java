/** Overlays: written by us, read by QEMU without us. */
@NullMarked
package dev.cowbell.it.overlay;

import org.jspecify.annotations.NullMarked;
