/** Internal snapshots: their table, and what differs between two of them. */
@NullMarked
package dev.cowbell.qcow2.snapshot;

import org.jspecify.annotations.NullMarked;
