@NullMarked
package dev.cowbell.agent.retention;

import org.jspecify.annotations.NullMarked;
