/** Digests of what overlays hold: how they are stored, and how a disk is compared with them. */
@NullMarked
package dev.cowbell.agent.digests;

import org.jspecify.annotations.NullMarked;
