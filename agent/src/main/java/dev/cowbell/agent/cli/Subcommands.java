package dev.cowbell.agent.cli;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** The commands of a group, in the order of the help. {@link CommandTree} makes them as needed. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
public @interface Subcommands {

  /** Classes with {@code @Command}. */
  Class<?>[] value();
}
