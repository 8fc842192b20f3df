/** The agent as a service: runs the configured jobs until it is told to stop. */
@NullMarked
package dev.cowbell.agent.daemon;

import org.jspecify.annotations.NullMarked;
