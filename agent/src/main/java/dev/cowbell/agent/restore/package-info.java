/** Rebuilding disks from restore points. */
@NullMarked
package dev.cowbell.agent.restore;

import org.jspecify.annotations.NullMarked;
