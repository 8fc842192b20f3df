/** Commands, run inside the test's own process. */
@NullMarked
package dev.cowbell.agent.cli;

import org.jspecify.annotations.NullMarked;
