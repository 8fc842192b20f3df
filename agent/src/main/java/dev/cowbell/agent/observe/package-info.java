/** What a run tells while it runs, and how it is asked to stop. */
@NullMarked
package dev.cowbell.agent.observe;

import org.jspecify.annotations.NullMarked;
