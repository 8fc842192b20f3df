package dev.cowbell.agent.diskio;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The words behind a command, taken apart by getopt's rules: options may stand anywhere before
 * {@code --}, several in one word, a value in the same word or in the next.
 */
final class IoArguments {

  private final IoSyntax syntax;
  private final Map<Character, String> options = new TreeMap<>();
  private final List<String> operands = new ArrayList<>();

  private IoArguments(IoSyntax syntax) {
    this.syntax = syntax;
  }

  /**
   * Takes a command line apart.
   *
   * @param words the command itself first
   */
  static IoArguments parse(IoSyntax syntax, List<String> words) throws IoCommandException {
    syntax.checkCount(words.getFirst(), words.size() - 1);
    IoArguments arguments = new IoArguments(syntax);
    boolean optionsEnded = syntax.options().isEmpty();
    for (int i = 1; i < words.size(); i++) {
      String word = words.get(i);
      if (optionsEnded || word.length() < 2 || word.charAt(0) != '-') {
        arguments.operands.add(word);
      } else if (word.equals("--")) {
        optionsEnded = true;
      } else if (arguments.takeOptions(words.getFirst(), word)) {
        char option = word.charAt(word.length() - 1);
        if (++i == words.size()) {
          throw arguments.usage(
              "%s: option requires an argument -- '%c'".formatted(words.getFirst(), option));
        }
        arguments.options.put(option, words.get(i));
      }
    }
    return arguments;
  }

  /** Returns whether the last option of the word wants the next word for its value. */
  private boolean takeOptions(String command, String word) throws IoCommandException {
    for (int i = 1; i < word.length(); i++) {
      char option = word.charAt(i);
      int at = option == ':' ? -1 : syntax.options().indexOf(option);
      if (at < 0) {
        throw usage("%s: invalid option -- '%c'".formatted(command, option));
      }
      boolean hasValue = syntax.options().startsWith(":", at + 1);
      if (hasValue && i == word.length() - 1) {
        return true;
      }
      options.put(option, hasValue ? word.substring(i + 1) : "");
      if (hasValue) {
        return false;
      }
    }
    return false;
  }

  private IoCommandException usage(String complaint) {
    IoCommandException usage = usage();
    usage.addSuppressed(IoCommandException.onError(complaint));
    return usage;
  }

  /** How the command should have been called; complaints of getopt are suppressed exceptions. */
  IoCommandException usage() {
    return IoCommandException.of(syntax.usage());
  }

  boolean has(char option) {
    return options.containsKey(option);
  }

  Optional<String> value(char option) {
    return Optional.ofNullable(options.get(option));
  }

  List<String> operands() {
    return operands;
  }

  /** The operands of a command that takes an offset and one length. */
  void requireRange() throws IoCommandException {
    if (operands.size() != 2) {
      throw usage();
    }
  }

  /** The operands of a command that takes an offset and one length or more. */
  void requireVector() throws IoCommandException {
    if (operands.size() < 2) {
      throw usage();
    }
  }
}
