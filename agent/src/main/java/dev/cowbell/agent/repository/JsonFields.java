package dev.cowbell.agent.repository;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.storage.ObjectKey;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * Reads the fields of one JSON object of an untrusted document, strictly: every field has one type
 * and bounds, and {@link #end} refuses fields that nobody asked for.
 */
final class JsonFields {

  /** Decodes one field or object. */
  @FunctionalInterface
  interface Decoder<A, T> {
    T decode(A from) throws DamagedObjectException;
  }

  private final ObjectKey key;
  private final String path;
  private final ObjectNode object;
  private final boolean laterRevision;
  private final Set<String> known = new HashSet<>();

  /**
   * @param key the document, for messages
   * @param laterRevision whether the document may have fields that this version does not know
   */
  JsonFields(ObjectKey key, ObjectNode object, boolean laterRevision) {
    this(key, "", object, laterRevision);
  }

  private JsonFields(ObjectKey key, String path, ObjectNode object, boolean laterRevision) {
    this.key = key;
    this.path = path;
    this.object = object;
    this.laterRevision = laterRevision;
  }

  boolean has(String name) {
    return object.has(name);
  }

  private JsonNode node(String name) throws DamagedObjectException {
    known.add(name);
    JsonNode node = object.get(name);
    if (node == null) {
      throw bad(name, "is missing");
    }
    return node;
  }

  String text(String name, int maxLength) throws DamagedObjectException {
    JsonNode node = node(name);
    if (!node.isTextual() || node.textValue().length() > maxLength) {
      throw bad(name, "is no text of at most " + maxLength + " characters");
    }
    return node.textValue();
  }

  Optional<String> optionalText(String name, int maxLength) throws DamagedObjectException {
    return has(name) ? Optional.of(text(name, maxLength)) : Optional.empty();
  }

  /** Text that one of our own types checks; its complaint becomes this document's. */
  <T> T value(String name, int maxLength, Function<String, T> parse) throws DamagedObjectException {
    String text = text(name, maxLength);
    try {
      return parse.apply(text);
    } catch (IllegalArgumentException | java.time.DateTimeException e) {
      throw bad(name, String.valueOf(e.getMessage()));
    }
  }

  long integer(String name, long min, long max) throws DamagedObjectException {
    JsonNode node = node(name);
    if (!node.isIntegralNumber()
        || !node.canConvertToLong()
        || node.longValue() < min
        || node.longValue() > max) {
      throw bad(name, "is no whole number from " + min + " to " + max);
    }
    return node.longValue();
  }

  boolean truth(String name) throws DamagedObjectException {
    JsonNode node = node(name);
    if (!node.isBoolean()) {
      throw bad(name, "is neither true nor false");
    }
    return node.booleanValue();
  }

  JsonFields object(String name) throws DamagedObjectException {
    return fields(node(name), path + name + ".");
  }

  private JsonFields fields(JsonNode node, String at) throws DamagedObjectException {
    if (node instanceof ObjectNode child) {
      return new JsonFields(key, at, child, laterRevision);
    }
    throw new DamagedObjectException(key, at + " is no object");
  }

  /** The objects of an array, each decoded and ended. */
  <T> List<T> objects(String name, int maxCount, Decoder<JsonFields, T> decode)
      throws DamagedObjectException {
    JsonNode node = node(name);
    if (!node.isArray() || node.size() > maxCount) {
      throw bad(name, "is no array of at most " + maxCount + " objects");
    }
    List<T> decoded = new ArrayList<>(node.size());
    for (int i = 0; i < node.size(); i++) {
      JsonFields element = fields(node.get(i), path + name + "[" + i + "].");
      decoded.add(element.checked(decode));
    }
    return List.copyOf(decoded);
  }

  /** Decodes this object; what its record refuses becomes this document's damage. */
  <T> T checked(Decoder<JsonFields, T> decode) throws DamagedObjectException {
    try {
      T decoded = decode.decode(this);
      end();
      return decoded;
    } catch (IllegalArgumentException e) {
      throw new DamagedObjectException(key, path + ": " + e.getMessage());
    }
  }

  /** The names of all fields, for objects whose names are data. */
  List<String> names(int maxCount) throws DamagedObjectException {
    if (object.size() > maxCount) {
      throw new DamagedObjectException(key, path + " has more than " + maxCount + " fields");
    }
    return List.copyOf(object.properties().stream().map(java.util.Map.Entry::getKey).toList());
  }

  /** Refuses fields that nobody asked for, unless the document says that it may have some. */
  private void end() throws DamagedObjectException {
    if (laterRevision) {
      return;
    }
    for (var field : object.properties()) {
      if (!known.contains(field.getKey())) {
        throw bad(Names.shown(field.getKey()), "is not a field of this format");
      }
    }
  }

  private DamagedObjectException bad(String name, String problem) {
    return new DamagedObjectException(key, path + name + ": " + problem);
  }
}
