/** The {@code image} commands, which follow qemu-img and qemu-io. */
@NullMarked
package dev.cowbell.agent.cli.image;

import org.jspecify.annotations.NullMarked;
