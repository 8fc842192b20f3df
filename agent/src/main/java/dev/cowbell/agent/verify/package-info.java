/** Finding damage in a repository, and what it touches. */
@NullMarked
package dev.cowbell.agent.verify;

import org.jspecify.annotations.NullMarked;
