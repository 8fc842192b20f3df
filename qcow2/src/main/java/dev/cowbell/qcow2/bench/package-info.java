/** How fast disks are read and written. */
@NullMarked
package dev.cowbell.qcow2.bench;

import org.jspecify.annotations.NullMarked;
