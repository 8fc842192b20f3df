/** Object stores: where a repository lives. */
@NullMarked
package dev.cowbell.storage;

import org.jspecify.annotations.NullMarked;
