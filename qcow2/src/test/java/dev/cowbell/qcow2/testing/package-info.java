/** Fixtures for tests, here and in other modules. */
@NullMarked
package dev.cowbell.qcow2.testing;

import org.jspecify.annotations.NullMarked;
