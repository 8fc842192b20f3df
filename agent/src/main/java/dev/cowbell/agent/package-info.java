/** The backup agent. */
@NullMarked
package dev.cowbell.agent;

import org.jspecify.annotations.NullMarked;
