/** Ways to read and write host files, and how fast images are. */
@NullMarked
package dev.cowbell.it.io;

import org.jspecify.annotations.NullMarked;
