/** The files that images live in, and the locks on them. */
@NullMarked
package dev.cowbell.qcow2.io;

import org.jspecify.annotations.NullMarked;
