/** Making whole new images: a disk's content copied into a qcow2 or raw file that did not exist. */
@NullMarked
package dev.cowbell.qcow2.build;

import org.jspecify.annotations.NullMarked;
