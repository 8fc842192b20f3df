/** The rules of the house, held against the compiled classes. */
@NullMarked
package dev.cowbell.it.architecture;

import org.jspecify.annotations.NullMarked;
