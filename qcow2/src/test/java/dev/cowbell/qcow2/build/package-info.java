/** New images, made and read back in memory. */
@NullMarked
package dev.cowbell.qcow2.build;

import org.jspecify.annotations.NullMarked;
