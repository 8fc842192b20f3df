/** Finding every inconsistency of a qcow2 image, and repairing what can be repaired. */
@NullMarked
package dev.cowbell.qcow2.check;

import org.jspecify.annotations.NullMarked;
