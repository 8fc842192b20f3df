package dev.cowbell.agent.diskio;

import java.util.Arrays;
import java.util.Optional;

/**
 * Every command with its grammar, in the order of {@code help}: all that is known of a command
 * without running it.
 */
enum IoSyntax {
  AIO_FLUSH("aio_flush", "", 0, 0, "", "", "waits for requests in flight; here none ever is"),
  AIO_READ(
      "aio_read",
      "",
      2,
      Integer.MAX_VALUE,
      "CP:iqv",
      "[-Ciqv] [-P pattern] off len [len..]",
      "asynchronously reads a number of bytes"),
  AIO_WRITE(
      "aio_write",
      "",
      2,
      Integer.MAX_VALUE,
      "CfiP:quz",
      "[-Cfiquz] [-P pattern] off len [len..]",
      "asynchronously writes a number of bytes"),
  ALLOC("alloc", "a", 1, 2, "", "offset [count]", "checks if offset is allocated in the file"),
  DISCARD(
      "discard",
      "d",
      2,
      Integer.MAX_VALUE,
      "Cq",
      "[-Cq] off len",
      "discards a number of bytes at a specified offset"),
  FLUSH("flush", "f", 0, 0, "", "", "flush all in-core file state to disk"),
  HELP("help", "?", 0, 1, "", "[command]", "help for one or all commands"),
  INFO("info", "i", 0, 0, "", "", "prints information about the current file"),
  LENGTH("length", "l", 0, 0, "", "", "gets the length of the current file"),
  MAP("map", "", 0, 0, "", "", "prints the allocated areas of a file"),
  QUIT("quit", "q", 0, 0, "", "", "exit the program"),
  READ(
      "read",
      "r",
      2,
      Integer.MAX_VALUE,
      "bCl:pP:qs:v",
      "[-abCqv] [-P pattern [-s off] [-l len]] off len",
      "reads a number of bytes at a specified offset"),
  READV(
      "readv",
      "",
      2,
      Integer.MAX_VALUE,
      "CP:qv",
      "[-Cqv] [-P pattern] off len [len..]",
      "reads a number of bytes at a specified offset"),
  SLEEP("sleep", "", 1, 1, "", "", "waits for the given value in milliseconds"),
  TRUNCATE(
      "truncate",
      "t",
      1,
      3,
      "m:",
      "[-m prealloc_mode] off",
      "truncates the current file at the given offset"),
  WRITE(
      "write",
      "w",
      2,
      Integer.MAX_VALUE,
      "bcCfnpP:qs:uz",
      "[-bcCfnquz] [-P pattern | -s source_file] off len",
      "writes a number of bytes at a specified offset"),
  WRITEV(
      "writev",
      "",
      2,
      Integer.MAX_VALUE,
      "CfqP:",
      "[-Cfq] [-P pattern] off len [len..]",
      "writes a number of bytes at a specified offset");

  private final String word;
  private final String shortWord;
  private final int fewest;
  private final int most;
  private final String options;
  private final String synopsis;
  private final String summary;

  /**
   * @param shortWord another name, or empty
   * @param fewest the words that have to follow, options counted
   * @param options letters as getopt takes them: a colon behind one that has a value
   */
  IoSyntax(
      String word,
      String shortWord,
      int fewest,
      int most,
      String options,
      String synopsis,
      String summary) {
    this.word = word;
    this.shortWord = shortWord;
    this.fewest = fewest;
    this.most = most;
    this.options = options;
    this.synopsis = synopsis;
    this.summary = summary;
  }

  static Optional<IoSyntax> of(String word) {
    return Arrays.stream(values())
        .filter(syntax -> syntax.word.equals(word) || syntax.shortWord.equals(word))
        .findFirst();
  }

  String options() {
    return options;
  }

  /** Checks how many words follow a command before any of them is looked at. */
  void checkCount(String asCalled, int count) throws IoCommandException {
    if (count >= fewest && count <= most) {
      return;
    }
    String expected =
        most == Integer.MAX_VALUE
            ? "at least " + fewest
            : fewest == most ? "" + fewest : "between " + fewest + " and " + most;
    throw IoCommandException.onError(
        "bad argument count %d to %s, expected %s arguments".formatted(count, asCalled, expected));
  }

  /** How the command is used, in one line. */
  String usage() {
    return word + " " + synopsis + " -- " + summary;
  }

  /** The same for the list of all commands, which leaves out what is empty. */
  String help() {
    return (synopsis.isEmpty() && this != MAP) ? word + " -- " + summary : usage();
  }
}
