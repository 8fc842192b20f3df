/** The scheduler on a real PostgreSQL, shared by several agents. */
@NullMarked
package dev.cowbell.it.schedule;

import org.jspecify.annotations.NullMarked;
