@NullMarked
package dev.cowbell.agent.schedule;

import org.jspecify.annotations.NullMarked;
