/** Internal snapshots and changes of an image's format, side by side with QEMU's own. */
@NullMarked
package dev.cowbell.it.snapshot;

import org.jspecify.annotations.NullMarked;
