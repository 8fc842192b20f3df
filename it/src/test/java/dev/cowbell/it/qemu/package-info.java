/** The oracle: QEMU's own tools, run as processes. */
@NullMarked
package dev.cowbell.it.qemu;

import org.jspecify.annotations.NullMarked;
