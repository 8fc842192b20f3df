/** Compressed clusters: packing them in parallel, and unpacking them, many per host read. */
@NullMarked
package dev.cowbell.qcow2.compress;

import org.jspecify.annotations.NullMarked;
