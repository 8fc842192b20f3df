/** The agent as a service: a process of its own, real images, real signals. */
@NullMarked
package dev.cowbell.it.daemon;

import org.jspecify.annotations.NullMarked;
