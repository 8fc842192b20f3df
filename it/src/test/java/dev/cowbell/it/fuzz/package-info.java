/** Coverage-guided fuzzing of everything that reads what strangers made. */
@NullMarked
package dev.cowbell.it.fuzz;

import org.jspecify.annotations.NullMarked;
