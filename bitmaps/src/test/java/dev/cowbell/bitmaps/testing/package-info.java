/** Fixtures for tests, here and in other modules. */
@NullMarked
package dev.cowbell.bitmaps.testing;

import org.jspecify.annotations.NullMarked;
