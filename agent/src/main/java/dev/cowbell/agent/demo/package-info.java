/** The main job shown on a disk made for the purpose. */
@NullMarked
package dev.cowbell.agent.demo;

import org.jspecify.annotations.NullMarked;
