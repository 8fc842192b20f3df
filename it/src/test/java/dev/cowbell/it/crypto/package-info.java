/** Encrypted images, ours read by QEMU and QEMU's by us. */
@NullMarked
package dev.cowbell.it.crypto;

import org.jspecify.annotations.NullMarked;
