/** Disk images as their guest sees them. */
@NullMarked
package dev.cowbell.qcow2;

import org.jspecify.annotations.NullMarked;
