/** Pruning real repositories: what is kept restores, whatever happens on the way. */
@NullMarked
package dev.cowbell.it.prune;

import org.jspecify.annotations.NullMarked;
