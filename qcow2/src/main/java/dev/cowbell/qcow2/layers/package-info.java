/** What is done to an image together with the layers below it, and to its size. */
@NullMarked
package dev.cowbell.qcow2.layers;

import org.jspecify.annotations.NullMarked;
