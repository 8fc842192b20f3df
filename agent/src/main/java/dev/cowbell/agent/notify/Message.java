package dev.cowbell.agent.notify;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.agent.config.Channel.Occasion;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Locale;

/** What a channel's receiver gets: some events in one. */
record Message(String agent, Instant at, Group.Told told) {

  /** One JSON document. */
  byte[] json() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("agent", agent).put("time", at.toString()).put("summary", summary());
    var events = json.putArray("events");
    for (Event event : told.events()) {
      ObjectNode node = events.addObject().put("kind", word(event.occasion()));
      event.job().ifPresent(job -> node.put("job", job.value()));
      node.put("vm", event.vm().value())
          .put("time", event.at().toString())
          .put("text", event.text());
    }
    json.put("omitted", told.omitted());
    return json.toString().getBytes(StandardCharsets.UTF_8);
  }

  /** The message in a line, with nothing in it that comes from elsewhere but names. */
  String summary() {
    if (told.events().size() == 1) {
      Event only = told.events().getFirst();
      return "Cowbell on %s: %s of %s"
          .formatted(
              agent,
              word(only.occasion()),
              only.vm() + only.job().map(job -> " (" + job + ")").orElse(""));
    }
    StringBuilder summary = new StringBuilder("Cowbell on " + agent + ":");
    String separator = " ";
    for (Occasion occasion : Occasion.values()) {
      long count = told.events().stream().filter(e -> e.occasion() == occasion).count();
      if (count > 0) {
        summary.append(separator).append(count).append(" × ").append(word(occasion));
        separator = ", ";
      }
    }
    return summary + (told.omitted() > 0 ? " and " + told.omitted() + " more" : "");
  }

  /** All of it, for people. */
  String text() {
    StringBuilder text = new StringBuilder();
    for (Event event : told.events()) {
      text.append(
          "%s  %s  %s%s%n    %s%n%n"
              .formatted(
                  event.at(),
                  word(event.occasion()).toUpperCase(Locale.ROOT),
                  event.vm(),
                  event.job().map(job -> " (job " + job + ")").orElse(""),
                  event.text()));
    }
    if (told.omitted() > 0) {
      text.append("and %d more%n".formatted(told.omitted()));
    }
    return text.toString();
  }

  private static String word(Occasion occasion) {
    return occasion.name().toLowerCase(Locale.ROOT);
  }
}
