/** The repository: which objects it consists of, what its manifests say, and which points exist. */
@NullMarked
package dev.cowbell.agent.repository;

import org.jspecify.annotations.NullMarked;
