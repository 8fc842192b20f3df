/** Tests of what people are told. */
@NullMarked
package dev.cowbell.agent.notify;

import org.jspecify.annotations.NullMarked;
