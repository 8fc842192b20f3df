package dev.cowbell.agent.cli;

import picocli.CommandLine.Option;

/** Mix-in for commands that report: human text or JSON. */
public final class OutputFormat {

  enum Kind {
    HUMAN,
    JSON
  }

  private Kind kind = Kind.HUMAN;

  @Option(names = "--json", description = "Print one JSON document instead of text.")
  void setJson(boolean json) {
    kind = json ? Kind.JSON : Kind.HUMAN;
  }

  @Option(
      names = "--output",
      paramLabel = "human|json",
      description = "The same choice as qemu-img spells it.")
  void setOutput(Kind chosen) {
    kind = chosen;
  }

  /** Whether to print one JSON document and nothing else. */
  public boolean isJson() {
    return kind == Kind.JSON;
  }
}
