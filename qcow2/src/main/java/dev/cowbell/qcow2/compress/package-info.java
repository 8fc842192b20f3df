/** Compressed clusters: unpacking them, many per host read. */
@NullMarked
package dev.cowbell.qcow2.compress;

import org.jspecify.annotations.NullMarked;
