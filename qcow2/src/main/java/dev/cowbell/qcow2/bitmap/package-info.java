/** The persistent dirty bitmaps of an image: listing, reading and editing them. */
@NullMarked
package dev.cowbell.qcow2.bitmap;

import org.jspecify.annotations.NullMarked;
