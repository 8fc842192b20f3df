/** Tests that need real tools, real servers or the whole program. */
@NullMarked
package dev.cowbell.it;

import org.jspecify.annotations.NullMarked;
