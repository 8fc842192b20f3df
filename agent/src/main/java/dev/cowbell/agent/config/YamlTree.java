package dev.cowbell.agent.config;

import dev.cowbell.agent.config.YamlNode.Entry;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.common.Anchor;
import org.snakeyaml.engine.v2.events.AliasEvent;
import org.snakeyaml.engine.v2.events.CollectionEndEvent;
import org.snakeyaml.engine.v2.events.CollectionStartEvent;
import org.snakeyaml.engine.v2.events.DocumentEndEvent;
import org.snakeyaml.engine.v2.events.DocumentStartEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.events.MappingStartEvent;
import org.snakeyaml.engine.v2.events.NodeEvent;
import org.snakeyaml.engine.v2.events.ScalarEvent;
import org.snakeyaml.engine.v2.events.SequenceStartEvent;
import org.snakeyaml.engine.v2.events.StreamEndEvent;
import org.snakeyaml.engine.v2.events.StreamStartEvent;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/**
 * Reads one YAML document into a tree. Depth and size are bounded, and anchors, aliases and tags
 * are refused, so that a file costs no more than its own length.
 */
final class YamlTree {

  private static final int MAX_DEPTH = 20;

  private final Iterator<Event> events;

  private YamlTree(Iterator<Event> events) {
    this.events = events;
  }

  /** Thrown at the first thing that is not the YAML we read. */
  static final class NotReadable extends Exception {
    private static final long serialVersionUID = 1L;
    private final transient ConfigProblem problem;

    NotReadable(Position at, String message) {
      super(message);
      problem = new ConfigProblem(at, "", message);
    }

    ConfigProblem problem() {
      return problem;
    }
  }

  /** Reads {@code text}; an empty document is an empty mapping. */
  static YamlNode read(String text) throws NotReadable {
    LoadSettings settings =
        LoadSettings.builder().setUseMarks(true).setCodePointLimit(text.length() + 1).build();
    try {
      return new YamlTree(new Parse(settings).parseString(text).iterator()).document();
    } catch (MarkedYamlEngineException e) {
      String problem = Optional.ofNullable(e.getProblem()).orElse("cannot be read");
      throw new NotReadable(at(e.getProblemMark()), "not YAML: " + Suggestion.shown(problem));
    } catch (YamlEngineException e) {
      throw new NotReadable(
          Position.START, "not YAML: " + Suggestion.shown(String.valueOf(e.getMessage())));
    }
  }

  private YamlNode document() throws NotReadable {
    YamlNode root = new YamlNode.Mapping(Map.of(), Position.START);
    int documents = 0;
    while (events.hasNext()) {
      Event event = events.next();
      switch (event) {
        case StreamStartEvent _, StreamEndEvent _, DocumentEndEvent _ -> {}
        case DocumentStartEvent start -> {
          if (++documents > 1) {
            throw new NotReadable(at(start.getStartMark()), "must be one YAML document, found two");
          }
        }
        default -> root = node(event, 0);
      }
    }
    return root instanceof YamlNode.Scalar scalar && scalar.isNull()
        ? new YamlNode.Mapping(Map.of(), Position.START)
        : root;
  }

  private YamlNode node(Event event, int depth) throws NotReadable {
    Position at = at(event.getStartMark());
    refuseReferences(event, at);
    if (depth > MAX_DEPTH) {
      throw new NotReadable(at, "nested deeper than " + MAX_DEPTH + " levels");
    }
    return switch (event) {
      case ScalarEvent scalar -> new YamlNode.Scalar(scalar.getValue(), scalar.isPlain(), at);
      case SequenceStartEvent _ -> new YamlNode.Sequence(items(depth), at);
      case MappingStartEvent _ -> new YamlNode.Mapping(entries(depth), at);
      default -> throw new NotReadable(at, "not YAML: " + event.getEventId());
    };
  }

  private static void refuseReferences(Event event, Position at) throws NotReadable {
    if (event instanceof AliasEvent
        || (event instanceof NodeEvent node
            && node.getAnchor().map(Anchor::getValue).isPresent())) {
      throw new NotReadable(
          at,
          "anchors (&) and aliases (*) are not supported; quote the text if"
              + " it is meant to begin with one");
    }
    Optional<String> tag =
        switch (event) {
          case ScalarEvent scalar -> scalar.getTag();
          case CollectionStartEvent start -> start.getTag();
          default -> Optional.empty();
        };
    if (tag.isPresent()) {
      throw new NotReadable(at, "tags (!) are not supported; quote the text if it begins with one");
    }
  }

  private List<YamlNode> items(int depth) throws NotReadable {
    List<YamlNode> items = new ArrayList<>();
    for (Event event = events.next();
        !(event instanceof CollectionEndEvent);
        event = events.next()) {
      items.add(node(event, depth + 1));
    }
    return items;
  }

  private Map<String, Entry> entries(int depth) throws NotReadable {
    Map<String, Entry> entries = new LinkedHashMap<>();
    for (Event event = events.next();
        !(event instanceof CollectionEndEvent);
        event = events.next()) {
      YamlNode key = node(event, depth + 1);
      if (!(key instanceof YamlNode.Scalar name)) {
        throw new NotReadable(key.at(), "a key must be text, found " + key.kind());
      }
      YamlNode value = node(events.next(), depth + 1);
      Entry before = entries.putIfAbsent(name.text(), new Entry(key.at(), value));
      if (before != null) {
        throw new NotReadable(
            key.at(),
            "the key "
                + Suggestion.quoted(name.text())
                + " was given in line "
                + before.keyAt().line()
                + " already");
      }
    }
    return entries;
  }

  private static Position at(Optional<Mark> mark) {
    return mark.map(m -> new Position(m.getLine() + 1, m.getColumn() + 1)).orElse(Position.START);
  }
}
