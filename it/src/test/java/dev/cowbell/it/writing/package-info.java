/** Images written by us and checked by QEMU, and the reverse. */
@NullMarked
package dev.cowbell.it.writing;

import org.jspecify.annotations.NullMarked;
