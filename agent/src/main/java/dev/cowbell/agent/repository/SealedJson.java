package dev.cowbell.agent.repository;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * JSON objects that carry their own integrity: the last property is {@code sha256}, the digest of
 * every byte before it, white space included. The end of the document has one form only, so no byte
 * of it can change unnoticed. {@code head -c -80 FILE | sha256sum} checks one by hand.
 */
final class SealedJson {

  /** The largest document that is read or written, in bytes. */
  static final int MAX_SIZE = 4 << 20;

  private static final int MAX_DEPTH = 16;
  private static final int MAX_TEXT = 64 << 10;
  private static final int MAX_NUMBER = 20;

  private static final String SEAL_HEAD = "\"sha256\" : \"";
  private static final String SEAL_TAIL = "\"\n}\n";
  private static final int HEX_LENGTH = 64;
  private static final int SEAL_LENGTH = SEAL_HEAD.length() + HEX_LENGTH + SEAL_TAIL.length();

  private static final JsonMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder()
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxDocumentLength(MAX_SIZE)
                          .maxNestingDepth(MAX_DEPTH)
                          .maxStringLength(MAX_TEXT)
                          .maxNameLength(MAX_TEXT)
                          .maxNumberLength(MAX_NUMBER)
                          .build())
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private SealedJson() {}

  static ObjectNode object() {
    return JSON.createObjectNode();
  }

  /**
   * The document's bytes, sealed.
   *
   * @throws IllegalArgumentException if there would be more than {@link #MAX_SIZE} of them
   */
  static byte[] seal(ObjectNode content) {
    String open = content.toPrettyString().stripTrailing();
    open = open.substring(0, open.length() - 1).stripTrailing();
    String sealed = open + (content.isEmpty() ? "\n  " : ",\n  ");
    byte[] before = sealed.getBytes(StandardCharsets.UTF_8);
    byte[] seal = sealOf(before).getBytes(StandardCharsets.US_ASCII);
    if (before.length + seal.length > MAX_SIZE) {
      throw new IllegalArgumentException(
          "a document of %d bytes; at most %d are possible"
              .formatted(before.length + seal.length, MAX_SIZE));
    }
    byte[] document = Arrays.copyOf(before, before.length + seal.length);
    System.arraycopy(seal, 0, document, before.length, seal.length);
    return document;
  }

  private static String sealOf(byte[] before) {
    return SEAL_HEAD + HexFormat.of().formatHex(sha256(before)) + SEAL_TAIL;
  }

  static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /**
   * The content of a sealed document, without the seal.
   *
   * @throws DamagedObjectException if the seal does not fit, or the rest is not one JSON object
   */
  static ObjectNode open(ObjectKey key, byte[] document) throws DamagedObjectException {
    int sealAt = document.length - SEAL_LENGTH;
    if (sealAt < 1) {
      throw new DamagedObjectException(
          key, "is %d bytes long, too short for a sealed document".formatted(document.length));
    }
    byte[] seal = sealOf(Arrays.copyOf(document, sealAt)).getBytes(StandardCharsets.US_ASCII);
    if (!Arrays.equals(document, sealAt, document.length, seal, 0, seal.length)) {
      throw new DamagedObjectException(key, "does not match its own sha256");
    }
    try {
      JsonNode content = JSON.readTree(document);
      if (content instanceof ObjectNode object) {
        object.remove("sha256");
        return object;
      }
      throw new DamagedObjectException(key, "is no JSON object");
    } catch (JsonProcessingException e) {
      throw new DamagedObjectException(key, "is no JSON object: " + e.getOriginalMessage());
    } catch (DamagedObjectException e) {
      throw e;
    } catch (IOException e) {
      throw new DamagedObjectException(key, "is no JSON object: " + e.getMessage());
    }
  }
}
