/** Agents that die at any operation: what was committed stays, and the next run finishes. */
@NullMarked
package dev.cowbell.it.killed;

import org.jspecify.annotations.NullMarked;
