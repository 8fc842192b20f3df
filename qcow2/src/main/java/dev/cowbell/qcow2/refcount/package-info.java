/** Host clusters: who uses them, which are free, and in which order changes reach the disk. */
@NullMarked
package dev.cowbell.qcow2.refcount;

import org.jspecify.annotations.NullMarked;
