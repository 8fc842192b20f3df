/** What people and monitoring see of a running agent: a page, metrics, health. */
@NullMarked
package dev.cowbell.agent.status;

import org.jspecify.annotations.NullMarked;
