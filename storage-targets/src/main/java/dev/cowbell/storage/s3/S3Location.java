package dev.cowbell.storage.s3;

import dev.cowbell.storage.ObjectKey;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Where in which S3 a store lives, as a URL says it: {@code
 * s3://bucket/prefix?endpoint=http://host:port&region=R&path-style=true}.
 *
 * @param bucket the bucket's name
 * @param prefix what all keys begin with: empty, or ending with a slash
 * @param endpoint a server other than Amazon's
 * @param region its region; the AWS default chain's if empty
 * @param pathStyle whether the bucket is named in the path rather than in the host name; by default
 *     so for an endpoint of one's own
 */
public record S3Location(
    String bucket,
    String prefix,
    Optional<URI> endpoint,
    Optional<String> region,
    boolean pathStyle) {

  private static final Pattern BUCKET =
      Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]");
  private static final Pattern REGION = Pattern.compile("[A-Za-z0-9-]{1,64}");
  private static final int MAX_PREFIX = 100;
  private static final String PARAMETERS = "endpoint, region and path-style";

  /**
   * Understands a URL.
   *
   * @throws IllegalArgumentException if it can't be understood; the message says what is wrong with
   *     it, never repeating what may be a secret
   */
  public static S3Location parse(String url) {
    if (!url.startsWith("s3://")) {
      throw new IllegalArgumentException("an S3 URL begins with s3://bucket");
    }
    String rest = url.substring("s3://".length());
    if (rest.contains("#")) {
      throw new IllegalArgumentException("an S3 URL has no fragment (#…)");
    }
    int question = rest.indexOf('?');
    String path = question < 0 ? rest : rest.substring(0, question);
    Map<String, String> parameters = parameters(question < 0 ? "" : rest.substring(question + 1));
    int slash = path.indexOf('/');
    Optional<URI> endpoint =
        Optional.ofNullable(parameters.get("endpoint")).map(S3Location::endpoint);
    return new S3Location(
        bucket(slash < 0 ? path : path.substring(0, slash)),
        prefix(slash < 0 ? "" : path.substring(slash + 1)),
        endpoint,
        Optional.ofNullable(parameters.get("region")).map(S3Location::region),
        Optional.ofNullable(parameters.get("path-style"))
            .map(S3Location::pathStyle)
            .orElse(endpoint.isPresent()));
  }

  private static String bucket(String bucket) {
    if (bucket.contains("@")) {
      throw new IllegalArgumentException(
          "credentials don't belong into a URL; they come from the environment, ~/.aws, or the"
              + " machine's role");
    }
    if (!BUCKET.matcher(bucket).matches()) {
      throw new IllegalArgumentException(
          "\"" + bucket + "\" is not a bucket's name: 3 to 63 letters, digits, . _ or -");
    }
    return bucket;
  }

  private static String prefix(String path) {
    String prefix = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    if (prefix.isEmpty() && path.isEmpty()) {
      return "";
    }
    if (!ObjectKey.isKey(prefix) || prefix.length() > MAX_PREFIX) {
      throw new IllegalArgumentException(
          "\""
              + path
              + "\" is not a prefix: at most "
              + MAX_PREFIX
              + " of A-Z a-z 0-9 . _ - and single slashes, no part beginning with a dot");
    }
    return prefix + "/";
  }

  private static Map<String, String> parameters(String query) {
    Map<String, String> parameters = new LinkedHashMap<>();
    for (String pair : query.isEmpty() ? new String[0] : query.split("&", -1)) {
      int equals = pair.indexOf('=');
      String name = equals < 0 ? pair : pair.substring(0, equals);
      if (!name.equals("endpoint") && !name.equals("region") && !name.equals("path-style")) {
        throw new IllegalArgumentException(
            "unknown parameter \"" + name + "\"; allowed are " + PARAMETERS);
      }
      if (equals < 0 || equals == pair.length() - 1) {
        throw new IllegalArgumentException("parameter " + name + " has no value");
      }
      String value;
      try {
        // A plus is a plus here: nobody means a space in an endpoint.
        value =
            URLDecoder.decode(
                pair.substring(equals + 1).replace("+", "%2B"), StandardCharsets.UTF_8);
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException("parameter " + name + " has a broken %-escape", e);
      }
      if (parameters.put(name, value) != null) {
        throw new IllegalArgumentException("parameter " + name + " is given twice");
      }
    }
    return parameters;
  }

  private static URI endpoint(String text) {
    URI uri;
    try {
      uri = new URI(text);
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException("endpoint is not a URL: " + e.getReason(), e);
    }
    if (uri.getRawUserInfo() != null) {
      throw new IllegalArgumentException("credentials don't belong into the endpoint");
    }
    String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
    boolean bare =
        (uri.getRawPath() == null || uri.getRawPath().isEmpty() || uri.getRawPath().equals("/"))
            && uri.getRawQuery() == null
            && uri.getRawFragment() == null;
    if (!(scheme.equals("http") || scheme.equals("https")) || uri.getHost() == null || !bare) {
      throw new IllegalArgumentException(
          "endpoint \"" + text + "\" is not of the form http://host:port or https://host:port");
    }
    return URI.create(
        scheme + "://" + uri.getHost() + (uri.getPort() < 0 ? "" : ":" + uri.getPort()));
  }

  private static String region(String text) {
    if (!REGION.matcher(text).matches()) {
      throw new IllegalArgumentException("\"" + text + "\" is not a region's name");
    }
    return text;
  }

  private static boolean pathStyle(String text) {
    return switch (text) {
      case "true" -> true;
      case "false" -> false;
      default ->
          throw new IllegalArgumentException("path-style is true or false, not \"" + text + "\"");
    };
  }

  /** The bucket's key for an object. */
  String keyOf(ObjectKey key) {
    return prefix + key.value();
  }

  /** The object that a bucket's key stands for; empty if it is none of ours. */
  Optional<ObjectKey> objectOf(String key) {
    return key.startsWith(prefix) && ObjectKey.isKey(key.substring(prefix.length()))
        ? Optional.of(new ObjectKey(key.substring(prefix.length())))
        : Optional.empty();
  }

  /** A URL that {@link #parse} understands as this. */
  @Override
  public String toString() {
    StringBuilder url = new StringBuilder("s3://").append(bucket);
    if (!prefix.isEmpty()) {
      url.append('/').append(prefix, 0, prefix.length() - 1);
    }
    String separator = "?";
    if (endpoint.isPresent()) {
      url.append(separator).append("endpoint=").append(endpoint.get());
      separator = "&";
    }
    if (region.isPresent()) {
      url.append(separator).append("region=").append(region.get());
      separator = "&";
    }
    if (pathStyle != endpoint.isPresent()) {
      url.append(separator).append("path-style=").append(pathStyle);
    }
    return url.toString();
  }
}
