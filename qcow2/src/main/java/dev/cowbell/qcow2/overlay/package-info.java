/** Overlays: writing one front to back, and reading chains of them. */
@NullMarked
package dev.cowbell.qcow2.overlay;

import org.jspecify.annotations.NullMarked;
