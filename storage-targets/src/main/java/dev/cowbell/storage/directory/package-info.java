/** A directory as an object store: atomic, durable, and safe for several processes at once. */
@NullMarked
package dev.cowbell.storage.directory;

import org.jspecify.annotations.NullMarked;
