package dev.cowbell.agent.config;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.agent.config.Key.Presence;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * A mapping with known keys.
 *
 * @param keys all there are
 * @param exactlyOne of these keys there must be exactly one; none are named where that is not so
 * @param make makes the value; throws IllegalArgumentException saying what does not go together
 * @param <T> what it becomes
 */
record Section<T>(List<Key<?>> keys, List<Key<?>> exactlyOne, Function<Fields, T> make)
    implements Shape<T> {

  /** Keys that people will try because they are to come, and what to do until then. */
  private static final Map<String, String> NOT_YET =
      Map.of(
          "qmp", "running VMs cannot be configured yet: give the images of VMs that are shut down",
          "encryption", "encryption is not supported yet");

  static <T> Section<T> of(List<Key<?>> keys, Function<Fields, T> make) {
    return new Section<>(keys, List.of(), make);
  }

  @Override
  public Optional<T> read(YamlNode node, Reading reading) {
    if (!(node instanceof YamlNode.Mapping mapping)) {
      reading.problem(
          node.at(),
          "must be a mapping with the keys "
              + String.join(", ", names())
              + ", found "
              + node.kind());
      return Optional.empty();
    }
    int before = reading.problems().size();
    refuseUnknown(mapping, reading);
    Map<Key<?>, Object> values = new HashMap<>();
    for (Key<?> key : keys) {
      readKey(key, mapping, reading).ifPresent(value -> values.put(key, value));
    }
    checkExactlyOne(mapping, reading);
    if (reading.problems().size() > before) {
      return Optional.empty();
    }
    try {
      return Optional.of(make.apply(new Fields(values)));
    } catch (IllegalArgumentException e) {
      reading.problem(node.at(), String.valueOf(e.getMessage()));
      return Optional.empty();
    }
  }

  private void refuseUnknown(YamlNode.Mapping mapping, Reading reading) {
    mapping
        .entries()
        .forEach((name, entry) -> {
          if (names().contains(name)) {
            return;
          }
          String later = NOT_YET.get(name);
          reading.problem(
              entry.keyAt(),
              later != null
                  ? later
                  : "unknown key %s, allowed are %s%s"
                      .formatted(
                          Suggestion.quoted(name),
                          String.join(", ", names()),
                          Suggestion.hint(name, names())));
        });
  }

  private static <V> Optional<V> readKey(Key<V> key, YamlNode.Mapping mapping, Reading reading) {
    YamlNode.Entry entry = mapping.entries().get(key.name());
    if (entry == null) {
      if (key.presence() == Presence.REQUIRED) {
        reading.problem(mapping.at(), "the key \"" + key.name() + "\" is missing");
      }
      return Optional.empty();
    }
    return key.shape().read(entry.value(), reading.into(key.name()));
  }

  private void checkExactlyOne(YamlNode.Mapping mapping, Reading reading) {
    long given =
        exactlyOne.stream().filter(key -> mapping.entries().containsKey(key.name())).count();
    if (!exactlyOne.isEmpty() && given != 1) {
      reading.problem(
          mapping.at(),
          "needs exactly one of the keys "
              + String.join(", ", exactlyOne.stream().map(Key::name).toList())
              + ", found "
              + (given == 0 ? "none" : given));
    }
  }

  private List<String> names() {
    return keys.stream().map(Key::name).toList();
  }

  @Override
  public ObjectNode schema() {
    ObjectNode schema = Shapes.object().put("type", "object");
    schema.put("additionalProperties", false);
    ObjectNode properties = schema.putObject("properties");
    for (Key<?> key : keys) {
      ObjectNode property = Shapes.object().put("description", key.help());
      property.setAll(key.shape().schema());
      properties.set(key.name(), property);
    }
    List<String> required =
        keys.stream().filter(k -> k.presence() == Presence.REQUIRED).map(Key::name).toList();
    if (!required.isEmpty()) {
      required.forEach(schema.putArray("required")::add);
    }
    if (!exactlyOne.isEmpty()) {
      ArrayNode choices = schema.putArray("oneOf");
      exactlyOne.forEach(key -> choices.addObject().putArray("required").add(key.name()));
    }
    return schema;
  }
}
