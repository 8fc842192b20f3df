/** The image commands against qemu-img. */
@NullMarked
package dev.cowbell.it.image;

import org.jspecify.annotations.NullMarked;
