/** The image commands' rules that need no image. */
@NullMarked
package dev.cowbell.agent.cli.image;

import org.jspecify.annotations.NullMarked;
