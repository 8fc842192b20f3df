/** Changes of an image's format in place: version, refcount width, lazy refcounts. */
@NullMarked
package dev.cowbell.qcow2.amend;

import org.jspecify.annotations.NullMarked;
