/** Sets of byte runs and dirty bitmaps in memory. */
@NullMarked
package dev.cowbell.bitmaps;

import org.jspecify.annotations.NullMarked;
