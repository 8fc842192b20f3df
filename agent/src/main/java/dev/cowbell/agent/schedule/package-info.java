/** When jobs run: timings, windows, retries, and the scheduler that keeps to them. */
@NullMarked
package dev.cowbell.agent.schedule;

import org.jspecify.annotations.NullMarked;
