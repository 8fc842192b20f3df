/** Where a disk's bytes and its changed extents come from. */
@NullMarked
package dev.cowbell.agent.source;

import org.jspecify.annotations.NullMarked;
