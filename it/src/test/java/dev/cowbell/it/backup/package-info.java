/** Backing up real images, changing them with QEMU, and getting every state back. */
@NullMarked
package dev.cowbell.it.backup;

import org.jspecify.annotations.NullMarked;
