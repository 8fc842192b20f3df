/** Tests of writing, against a model of bytes. */
@NullMarked
package dev.cowbell.qcow2.write;

import org.jspecify.annotations.NullMarked;
