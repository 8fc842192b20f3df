/** Checks of images damaged in memory. */
@NullMarked
package dev.cowbell.qcow2.check;

import org.jspecify.annotations.NullMarked;
