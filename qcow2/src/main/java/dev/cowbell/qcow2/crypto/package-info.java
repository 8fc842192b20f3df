/** Encryption of guest data: LUKS version 1 inside qcow2, and the legacy AES format. */
@NullMarked
package dev.cowbell.qcow2.crypto;

import org.jspecify.annotations.NullMarked;
