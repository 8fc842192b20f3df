package dev.cowbell.qcow2;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The name of a backing file as QEMU reads it: a path, a path behind {@code file:}, or a {@code
 * json:} object that says driver and file, nested or with dotted keys.
 *
 * @param filename the path
 * @param base what a relative path starts from
 * @param format the format that a {@code json:} name says
 * @param alone whether a {@code json:} name says {@code "backing": null}: the file is to be read
 *     without its own backing file
 */
record ReferenceName(
    String filename, FileReference.Base base, Optional<String> format, boolean alone) {
  private static final String JSON = "json:";
  private static final String FILE = "file:";
  private static final int MAX_DEPTH = 16;
  private static final JsonFactory FACTORY = new JsonFactory();

  /** What a {@code json:} name may hold besides, as it makes no difference to what is read. */
  private static final Set<String> WITHOUT_MEANING =
      Set.of(
          "node-name",
          "read-only",
          "auto-read-only",
          "discard",
          "detect-zeroes",
          "force-share",
          "cache.direct",
          "cache.no-flush",
          "aio",
          "locking",
          "pr-manager",
          "x-check-cache-dropped");

  /**
   * Takes a name apart.
   *
   * @throws ReferenceException if it names anything but a local file
   */
  static ReferenceName parse(String name) throws ReferenceException {
    if (name.startsWith(JSON)) {
      return fromJson(name.substring(JSON.length()));
    }
    if (name.startsWith(FILE)) {
      return new ReferenceName(
          name.substring(FILE.length()),
          FileReference.Base.WORKING_DIRECTORY,
          Optional.empty(),
          false);
    }
    int colon = name.indexOf(':');
    int slash = name.indexOf('/');
    if (colon >= 0 && (slash < 0 || colon < slash)) {
      throw new ReferenceException(
          "refers to %s; only local files can be followed".formatted(Names.quoted(name)));
    }
    return new ReferenceName(name, FileReference.Base.REFERRER, Optional.empty(), false);
  }

  private static ReferenceName fromJson(String json) throws ReferenceException {
    Map<String, Optional<String>> options = flatten(json);
    Optional<String> driver = text(options, "driver");
    boolean protocolOnly = driver.isPresent() && isFile(driver.get());
    String prefix = protocolOnly ? "" : "file.";
    String filename =
        text(options, prefix + "filename")
            .orElseThrow(() -> unusable(json, "it has no " + prefix + "filename"));
    Optional<String> protocol = protocolOnly ? driver : text(options, "file.driver");
    if (protocol.isPresent() && !isFile(protocol.get())) {
      throw unusable(json, "its driver " + Names.quoted(protocol.get()) + " is not file");
    }
    boolean alone = options.remove("backing", Optional.<String>empty());
    options.keySet().removeAll(Set.of("driver", "file.driver", prefix + "filename"));
    for (String key : options.keySet()) {
      if (!WITHOUT_MEANING.contains(key.startsWith("file.") ? key.substring(5) : key)) {
        throw unusable(json, "its key " + Names.quoted(key) + " is not supported");
      }
    }
    return new ReferenceName(
        filename,
        FileReference.Base.WORKING_DIRECTORY,
        protocolOnly ? Optional.of("raw") : driver,
        alone);
  }

  private static boolean isFile(String driver) {
    return driver.equals("file") || driver.equals("host_device");
  }

  private static Optional<String> text(Map<String, Optional<String>> options, String key) {
    return options.getOrDefault(key, Optional.empty());
  }

  /** All values by dotted keys; null stands as an empty one. */
  private static Map<String, Optional<String>> flatten(String json) throws ReferenceException {
    Map<String, Optional<String>> options = new HashMap<>();
    try (JsonParser parser = FACTORY.createParser(json)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw unusable(json, "it is not an object");
      }
      flatten(parser, "", 0, options);
      if (parser.nextToken() != null) {
        throw unusable(json, "something follows the object");
      }
    } catch (ReferenceException e) {
      throw e;
    } catch (IOException e) {
      throw new ReferenceException(
          "refers to %s, which is no JSON".formatted(Names.quoted(json)), e);
    }
    return options;
  }

  private static void flatten(
      JsonParser parser, String prefix, int depth, Map<String, Optional<String>> options)
      throws IOException {
    if (depth > MAX_DEPTH) {
      throw new ReferenceException("refers to a json: name nested deeper than " + MAX_DEPTH);
    }
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String key = prefix + parser.currentName();
      JsonToken value = parser.nextToken();
      if (value == JsonToken.START_OBJECT) {
        flatten(parser, key + ".", depth + 1, options);
      } else if (value.isScalarValue()) {
        options.put(
            key, value == JsonToken.VALUE_NULL ? Optional.empty() : Optional.of(parser.getText()));
      } else {
        throw new ReferenceException(
            "refers to a json: name whose key %s holds a list".formatted(Names.quoted(key)));
      }
    }
  }

  private static ReferenceException unusable(String json, String why) {
    return new ReferenceException(
        "refers to %s, which can't be followed: %s".formatted(Names.quoted(JSON + json), why));
  }
}
