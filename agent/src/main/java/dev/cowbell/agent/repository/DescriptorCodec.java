package dev.cowbell.agent.repository;

import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.time.Instant;
import java.util.UUID;

/** The repository's description as a document. */
final class DescriptorCodec {

  private static final int MAX_TEXT = 64;

  private DescriptorCodec() {}

  static byte[] encode(Descriptor descriptor) {
    return SealedJson.seal(
        DocumentFormat.begin(DocumentFormat.BASIC)
            .put("repository", descriptor.id().toString())
            .put("created", descriptor.created().toString()));
  }

  static Descriptor decode(ObjectKey key, byte[] document) throws IOException {
    return DocumentFormat.read(key, document)
        .checked(fields ->
            new Descriptor(
                fields.value("repository", MAX_TEXT, UUID::fromString),
                fields.value("created", MAX_TEXT, Instant::parse)));
  }
}
