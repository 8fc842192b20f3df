/** Stores on real servers and in adverse places. */
@NullMarked
package dev.cowbell.it.storage;

import org.jspecify.annotations.NullMarked;
