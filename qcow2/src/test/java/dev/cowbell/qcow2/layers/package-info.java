/** Tests of what is done to layers, with crashes at every point. */
@NullMarked
package dev.cowbell.qcow2.layers;

import org.jspecify.annotations.NullMarked;
