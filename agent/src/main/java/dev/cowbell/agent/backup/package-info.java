/** Making restore points: what to copy is decided first, then done step by step. */
@NullMarked
package dev.cowbell.agent.backup;

import org.jspecify.annotations.NullMarked;
