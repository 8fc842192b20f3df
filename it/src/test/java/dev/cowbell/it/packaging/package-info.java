/** The packages that users install, built and installed. */
@NullMarked
package dev.cowbell.it.packaging;

import org.jspecify.annotations.NullMarked;
