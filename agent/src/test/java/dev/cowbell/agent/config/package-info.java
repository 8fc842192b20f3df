@NullMarked
package dev.cowbell.agent.config;

import org.jspecify.annotations.NullMarked;
