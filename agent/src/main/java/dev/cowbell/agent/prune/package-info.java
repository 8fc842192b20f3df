/** Removing restore points: what goes, what is merged into what, and clearing what was left. */
@NullMarked
package dev.cowbell.agent.prune;

import org.jspecify.annotations.NullMarked;
