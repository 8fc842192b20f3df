/** Finding every inconsistency of a qcow2 image; nothing here writes. */
@NullMarked
package dev.cowbell.qcow2.check;

import org.jspecify.annotations.NullMarked;
