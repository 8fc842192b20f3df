package dev.cowbell.agent.config;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;

/** The plain shapes: text, numbers, choices, lists and maps. */
final class Shapes {

  private static final Pattern INTEGER = Pattern.compile("[+-]?[0-9]{1,18}");
  private static final Pattern DECIMAL = Pattern.compile("[0-9]{1,9}(\\.[0-9]{1,9})?");

  private Shapes() {}

  /**
   * A value together with its place, for checks that need other parts of the file.
   *
   * @param path the keys down to it
   */
  record Located<T>(T value, Position at, String path) {}

  /**
   * Text that {@code parser} understands.
   *
   * @param pattern what the schema demands of it, or empty
   * @param parser throws IllegalArgumentException saying what is allowed
   */
  static <T> Shape<T> text(String pattern, Function<String, T> parser) {
    return new Shape<>() {
      @Override
      public Optional<T> read(YamlNode node, Reading reading) {
        if (!(node instanceof YamlNode.Scalar scalar) || scalar.isNull()) {
          reading.problem(node.at(), "must be text, found " + node.kind());
          return Optional.empty();
        }
        try {
          return Optional.of(parser.apply(scalar.text()));
        } catch (IllegalArgumentException e) {
          reading.problem(node.at(), withFound(String.valueOf(e.getMessage()), node));
          return Optional.empty();
        }
      }

      @Override
      public ObjectNode schema() {
        ObjectNode schema = object();
        schema.putArray("type").add("string").add("integer");
        if (!pattern.isEmpty()) {
          schema.put("pattern", pattern);
        }
        return schema;
      }
    };
  }

  /** What was found stands before what may have been meant. */
  private static String withFound(String message, YamlNode node) {
    int hint = message.indexOf(Suggestion.HINT);
    int at = hint < 0 ? message.length() : hint;
    return message.substring(0, at) + ", found " + node.kind() + message.substring(at);
  }

  /** A whole number of {@code least} to {@code most}. */
  static Shape<Integer> integer(int least, int most) {
    return new Shape<>() {
      @Override
      public Optional<Integer> read(YamlNode node, Reading reading) {
        if (node instanceof YamlNode.Scalar scalar
            && scalar.plain()
            && INTEGER.matcher(scalar.text()).matches()) {
          long number = Long.parseLong(scalar.text());
          if (number >= least && number <= most) {
            return Optional.of((int) number);
          }
        }
        reading.problem(
            node.at(),
            "must be a whole number of %d to %d, found %s".formatted(least, most, node.kind()));
        return Optional.empty();
      }

      @Override
      public ObjectNode schema() {
        return object().put("type", "integer").put("minimum", least).put("maximum", most);
      }
    };
  }

  /** A number of 0 to {@code most}, perhaps with a fraction. */
  static Shape<Double> decimal(int most) {
    return new Shape<>() {
      @Override
      public Optional<Double> read(YamlNode node, Reading reading) {
        if (node instanceof YamlNode.Scalar scalar
            && scalar.plain()
            && DECIMAL.matcher(scalar.text()).matches()) {
          double number = Double.parseDouble(scalar.text());
          if (number <= most) {
            return Optional.of(number);
          }
        }
        reading.problem(
            node.at(), "must be a number of 0 to %d, found %s".formatted(most, node.kind()));
        return Optional.empty();
      }

      @Override
      public ObjectNode schema() {
        return object().put("type", "number").put("minimum", 0).put("maximum", most);
      }
    };
  }

  /** One of a few words. */
  static <T> Shape<T> choice(Map<String, T> words) {
    List<String> known = words.keySet().stream().sorted().toList();
    return new Shape<>() {
      @Override
      public Optional<T> read(YamlNode node, Reading reading) {
        String found = node instanceof YamlNode.Scalar scalar ? scalar.text() : "";
        Optional<T> chosen = Optional.ofNullable(words.get(found));
        if (chosen.isEmpty()) {
          reading.problem(
              node.at(),
              "must be one of "
                  + String.join(", ", known)
                  + ", found "
                  + node.kind()
                  + Suggestion.hint(found, known));
        }
        return chosen;
      }

      @Override
      public ObjectNode schema() {
        ObjectNode schema = object();
        known.forEach(schema.putArray("enum")::add);
        return schema;
      }
    };
  }

  /** A list, of {@code least} items at least. */
  static <T> Shape<List<T>> list(int least, Shape<T> item) {
    return new Shape<>() {
      @Override
      public Optional<List<T>> read(YamlNode node, Reading reading) {
        if (!(node instanceof YamlNode.Sequence sequence) || sequence.items().size() < least) {
          String found = node instanceof YamlNode.Sequence ? "an empty one" : node.kind();
          reading.problem(node.at(), "must be a list" + nonEmpty(least) + ", found " + found);
          return Optional.empty();
        }
        List<T> values = new ArrayList<>();
        for (int i = 0; i < sequence.items().size(); i++) {
          item.read(sequence.items().get(i), reading.item(i)).ifPresent(values::add);
        }
        return values.size() == sequence.items().size() ? Optional.of(values) : Optional.empty();
      }

      @Override
      public ObjectNode schema() {
        ObjectNode schema = object().put("type", "array");
        if (least > 0) {
          schema.put("minItems", least);
        }
        schema.set("items", item.schema());
        return schema;
      }
    };
  }

  /**
   * Values under names that the user chooses, {@code least} of them at least.
   *
   * @param namePattern what the schema demands of a name
   * @param name throws IllegalArgumentException saying what is allowed
   */
  static <K, V> Shape<Map<K, V>> map(
      int least, String namePattern, Function<String, K> name, Shape<V> value) {
    return new Shape<>() {
      @Override
      public Optional<Map<K, V>> read(YamlNode node, Reading reading) {
        if (!(node instanceof YamlNode.Mapping mapping) || mapping.entries().size() < least) {
          String found = node instanceof YamlNode.Mapping ? "an empty one" : node.kind();
          reading.problem(node.at(), "must be a mapping" + nonEmpty(least) + ", found " + found);
          return Optional.empty();
        }
        Map<K, V> values = new LinkedHashMap<>();
        mapping
            .entries()
            .forEach((key, entry) -> {
              Optional<V> read = value.read(entry.value(), reading.into(key));
              try {
                K named = name.apply(key);
                read.ifPresent(v -> values.put(named, v));
              } catch (IllegalArgumentException e) {
                reading.problem(
                    entry.keyAt(),
                    "a name " + e.getMessage() + ", found " + Suggestion.quoted(key));
              }
            });
        return values.size() == mapping.entries().size() ? Optional.of(values) : Optional.empty();
      }

      @Override
      public ObjectNode schema() {
        ObjectNode schema = object().put("type", "object");
        if (least > 0) {
          schema.put("minProperties", least);
        }
        schema.putObject("propertyNames").put("pattern", namePattern);
        schema.set("additionalProperties", value.schema());
        return schema;
      }
    };
  }

  private static String nonEmpty(int least) {
    return least > 0 ? " that is not empty" : "";
  }

  /** The same shape, remembering where its value stood. */
  static <T> Shape<Located<T>> located(Shape<T> shape) {
    return new Shape<>() {
      @Override
      public Optional<Located<T>> read(YamlNode node, Reading reading) {
        return shape
            .read(node, reading)
            .map(value -> new Located<>(value, node.at(), reading.path()));
      }

      @Override
      public ObjectNode schema() {
        return shape.schema();
      }
    };
  }

  static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }
}
