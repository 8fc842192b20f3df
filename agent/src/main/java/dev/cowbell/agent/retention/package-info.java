/** Which restore points stay and which go, decided purely and with every reason spelled out. */
@NullMarked
package dev.cowbell.agent.retention;

import org.jspecify.annotations.NullMarked;
