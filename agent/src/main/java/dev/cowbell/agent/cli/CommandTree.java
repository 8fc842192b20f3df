package dev.cowbell.agent.cli;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/**
 * Puts the commands together. Making a command's model takes milliseconds and there are dozens, so
 * where the command line names one, the others are left out; otherwise all are made, for the help
 * and for good error messages.
 */
final class CommandTree {
  static {
    // or picocli looks for Groovy, which is not there, and that means in every jar
    System.setProperty("picocli.disable.closures", "true");
  }

  private static final CommandLine.IFactory FACTORY = CommandLine.defaultFactory();

  private CommandTree() {}

  /** The root with the commands below it that {@code args} may mean. */
  static CommandLine of(Object root, String... args) throws Exception {
    CommandLine commands = new CommandLine(root, FACTORY);
    addTo(commands, words(args));
    return commands;
  }

  private static List<String> words(String... args) {
    return Stream.of(args).filter(arg -> !arg.startsWith("-")).limit(2).toList();
  }

  private static void addTo(CommandLine group, List<String> words) throws Exception {
    Subcommands subcommands = group.getCommand().getClass().getAnnotation(Subcommands.class);
    if (subcommands == null) {
      return;
    }
    Optional<Class<?>> meant =
        Stream.of(subcommands.value())
            .filter(type -> !words.isEmpty() && words.getFirst().equals(name(type)))
            .findFirst();
    List<Class<?>> wanted = meant.map(List::<Class<?>>of).orElse(List.of(subcommands.value()));
    for (Class<?> type : wanted) {
      CommandLine command = new CommandLine(FACTORY.create(type), FACTORY);
      group.addSubcommand(name(type), command);
      addTo(command, meant.isPresent() ? words.subList(1, words.size()) : List.of());
    }
  }

  private static String name(Class<?> type) {
    return type.getAnnotation(Command.class).name();
  }
}
