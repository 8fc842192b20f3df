/** The command line: commands without logic, one class each, and the rules they all follow. */
@NullMarked
package dev.cowbell.agent.cli;

import org.jspecify.annotations.NullMarked;
