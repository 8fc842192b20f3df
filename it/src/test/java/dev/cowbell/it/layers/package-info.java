/** Layers of images, committed, rebased and resized by us and by QEMU. */
@NullMarked
package dev.cowbell.it.layers;

import org.jspecify.annotations.NullMarked;
