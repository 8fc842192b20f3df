package dev.cowbell.it.fuzz;

import dev.cowbell.agent.RefusedException;
import dev.cowbell.agent.config.ConfigException;
import dev.cowbell.agent.config.ConfigFile;
import dev.cowbell.agent.repository.Manifest;
import dev.cowbell.agent.repository.ManifestCodec;
import dev.cowbell.agent.repository.StoreUrl;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/** Texts from repositories and users. */
final class DocumentTargets {
  private static final ObjectKey KEY = new ObjectKey("vms/web/points/20260101T000000Z-0a1b.json");

  /** How a sealed document ends, its digest left out. */
  private static final String SEAL_HEAD = "\"sha256\" : \"";

  private static final String SEAL_TAIL = "\"\n}\n";
  static final int SEAL_LENGTH = SEAL_HEAD.length() + 64 + SEAL_TAIL.length();

  private DocumentTargets() {}

  /**
   * A manifest without its seal, which is made to fit. What is read is written and read the same.
   */
  static void manifest(byte[] input) throws IOException {
    Manifest manifest = ManifestCodec.decode(KEY, sealed(input));
    Manifest again = ManifestCodec.decode(KEY, ManifestCodec.encode(manifest));
    if (!manifest.equals(again)) {
      throw new AssertionError("%s was written and became %s".formatted(manifest, again));
    }
  }

  static byte[] sealed(byte[] before) {
    try {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(before);
      byte[] seal =
          (SEAL_HEAD + HexFormat.of().formatHex(digest) + SEAL_TAIL)
              .getBytes(StandardCharsets.US_ASCII);
      byte[] document = Arrays.copyOf(before, before.length + seal.length);
      System.arraycopy(seal, 0, document, before.length, seal.length);
      return document;
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  static void storeUrl(byte[] input) throws RefusedException {
    StoreUrl.parse(new String(input, StandardCharsets.UTF_8));
  }

  static void configuration(byte[] input) throws IOException, ConfigException {
    Path file = Files.createTempFile("fuzz", ".yaml");
    try {
      Files.write(file, input);
      ConfigFile.load(file);
    } finally {
      Files.delete(file);
    }
  }
}
