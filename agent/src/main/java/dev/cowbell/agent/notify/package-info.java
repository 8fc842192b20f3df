/** Tells people when a backup fails, is well again, or did not come for too long. */
@NullMarked
package dev.cowbell.agent.notify;

import org.jspecify.annotations.NullMarked;
