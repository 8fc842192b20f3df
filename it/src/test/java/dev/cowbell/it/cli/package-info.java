/** The command line, in process and as a program. */
@NullMarked
package dev.cowbell.it.cli;

import org.jspecify.annotations.NullMarked;
