/** qcow2's on-disk structures, each declared once, in the specification's own names. */
@NullMarked
package dev.cowbell.qcow2.format;

import org.jspecify.annotations.NullMarked;
