/** Reading qcow2: QEMU makes the images, QEMU says what they mean. */
@NullMarked
package dev.cowbell.it.reading;

import org.jspecify.annotations.NullMarked;
