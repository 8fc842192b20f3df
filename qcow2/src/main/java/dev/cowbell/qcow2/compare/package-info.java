/** Finding out whether two disks hold the same bytes. */
@NullMarked
package dev.cowbell.qcow2.compare;

import org.jspecify.annotations.NullMarked;
