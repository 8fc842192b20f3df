/** The configuration file: YAML to validated records, with every problem told by its place. */
@NullMarked
package dev.cowbell.agent.config;

import org.jspecify.annotations.NullMarked;
