/** Tests of what is verified when. */
@NullMarked
package dev.cowbell.agent.verify;

import org.jspecify.annotations.NullMarked;
