/** The command language of {@code qemu-io}: reading and writing a disk by hand, for tests. */
@NullMarked
package dev.cowbell.agent.diskio;

import org.jspecify.annotations.NullMarked;
