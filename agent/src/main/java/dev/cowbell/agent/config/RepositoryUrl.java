package dev.cowbell.agent.config;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.List;

/**
 * The URL of a repository: an absolute path, {@code file:///path}, or {@code
 * s3://bucket/prefix?endpoint=…&region=…&path-style=true}. Only its form is checked here.
 *
 * @param text as the user gave it
 */
public record RepositoryUrl(String text) {

  private static final List<String> SCHEMES = List.of("file", "s3");
  private static final List<String> PARAMETERS = List.of("endpoint", "region", "path-style");
  private static final String ALLOWED =
      "an absolute path, file:///path or s3://bucket/prefix with ?endpoint=, &region=,"
          + " &path-style=true";

  /**
   * Checks {@code text}.
   *
   * @throws IllegalArgumentException saying what is allowed
   */
  public static RepositoryUrl parse(String text) {
    if (text.length() > 2000) {
      throw new IllegalArgumentException("must be at most 2000 characters");
    }
    if (text.startsWith("/")) {
      return new RepositoryUrl(text);
    }
    try {
      URI url = new URI(text);
      String scheme = url.getScheme() == null ? "" : url.getScheme();
      switch (scheme) {
        case "file" -> checkFile(url);
        case "s3" -> checkS3(url);
        default ->
            throw new IllegalArgumentException(
                "must be " + ALLOWED + Suggestion.hint(scheme, SCHEMES));
      }
      return new RepositoryUrl(text);
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException("must be " + ALLOWED + ": " + e.getReason(), e);
    }
  }

  private static void checkFile(URI url) {
    if (url.getRawAuthority() != null
        || url.getRawQuery() != null
        || url.getPath() == null
        || !url.getPath().startsWith("/")) {
      throw new IllegalArgumentException("must be file:/// and an absolute path");
    }
  }

  private static void checkS3(URI url) {
    if (url.getRawUserInfo() != null) {
      throw new IllegalArgumentException(
          "must not hold credentials: they come from the AWS default chain (AWS_ACCESS_KEY_ID,"
              + " profiles, roles)");
    }
    String bucket = url.getRawAuthority();
    if (bucket == null || !bucket.matches("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")) {
      throw new IllegalArgumentException(
          "must name a bucket after s3://, 3 to 63 characters of a-z 0-9 . -");
    }
    if (url.getRawQuery() == null) {
      return;
    }
    for (String parameter : url.getRawQuery().split("&", -1)) {
      int equals = parameter.indexOf('=');
      String name = equals < 0 ? parameter : parameter.substring(0, equals);
      String value = equals < 0 ? "" : parameter.substring(equals + 1);
      checkParameter(name, value);
    }
  }

  private static void checkParameter(String name, String value) {
    boolean good =
        switch (name) {
          case "endpoint" -> value.matches("https?://[A-Za-z0-9.\\[\\]:_-]+/?");
          case "region" -> value.matches("[A-Za-z0-9-]{1,60}");
          case "path-style" -> value.equals("true") || value.equals("false");
          default ->
              throw new IllegalArgumentException(
                  "unknown parameter %s, allowed are %s%s"
                      .formatted(
                          Suggestion.quoted(name),
                          String.join(", ", PARAMETERS),
                          Suggestion.hint(name, PARAMETERS)));
        };
    if (!good) {
      throw new IllegalArgumentException(
          switch (name) {
            case "endpoint" -> "endpoint must be http://host:port or https://host:port";
            case "region" -> "region must be a name such as eu-central-1";
            default -> "path-style must be true or false";
          });
    }
  }

  @Override
  public String toString() {
    return text;
  }
}
