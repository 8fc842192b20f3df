/** Changes images: allocation, copy on write, and the order in which changes reach the disk. */
@NullMarked
package dev.cowbell.qcow2.write;

import org.jspecify.annotations.NullMarked;
