package dev.cowbell.agent.repository;

import static dev.cowbell.agent.repository.Samples.P1;
import static dev.cowbell.agent.repository.Samples.P2;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cowbell.storage.ObjectKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class ManifestCodecTest {

  private static final ObjectKey KEY = Layout.manifest(Samples.VM, P2);
  private static final Manifest MANIFEST =
      Samples.manifest(
          P2,
          Samples.disk(P2, Optional.of(P1)),
          Samples.disk(new DiskName("vdb"), P2, Optional.empty()));

  private static byte[] changed(Consumer<ObjectNode> change) throws IOException {
    ObjectNode json = SealedJson.open(KEY, ManifestCodec.encode(MANIFEST));
    change.accept(json);
    return SealedJson.seal(json);
  }

  private static ObjectNode firstDisk(ObjectNode json) {
    return (ObjectNode) json.withArray("disks").get(0);
  }

  private static void assertRefused(byte[] document, String because) {
    assertThatExceptionOfType(DamagedObjectException.class)
        .isThrownBy(() -> ManifestCodec.decode(KEY, document))
        .withMessageContaining(KEY.value())
        .withMessageContaining(because);
  }

  @Test
  void what_is_written_is_read() throws IOException {
    assertThat(ManifestCodec.decode(KEY, ManifestCodec.encode(MANIFEST))).isEqualTo(MANIFEST);
  }

  @Test
  void finds_every_single_byte_that_changed() {
    byte[] document = ManifestCodec.encode(MANIFEST);
    for (int i = 0; i < document.length; i++) {
      for (int flip : new int[] {0x01, 0x20, 0x80}) {
        byte[] damaged = document.clone();
        damaged[i] ^= (byte) flip;
        assertThatExceptionOfType(DamagedObjectException.class)
            .as("byte %d ^ %x", i, flip)
            .isThrownBy(() -> ManifestCodec.decode(KEY, damaged));
      }
    }
  }

  @Test
  void finds_every_cut_and_every_byte_too_many() {
    byte[] document = ManifestCodec.encode(MANIFEST);
    for (int length = 0; length < document.length; length++) {
      byte[] cut = Arrays.copyOf(document, length);
      assertThatExceptionOfType(DamagedObjectException.class)
          .as("cut to %d", length)
          .isThrownBy(() -> ManifestCodec.decode(KEY, cut));
    }
    assertRefused(Arrays.copyOf(document, document.length + 1), "sha256");
    byte[] longer = Arrays.copyOf(document, document.length + 1);
    longer[document.length] = ' ';
    assertRefused(longer, "sha256");
  }

  @Test
  void the_seal_is_what_sha256sum_says_of_all_but_the_last_80_bytes() throws Exception {
    String document = new String(ManifestCodec.encode(MANIFEST), StandardCharsets.UTF_8);
    byte[] bytes = document.getBytes(StandardCharsets.UTF_8);
    byte[] digest =
        java.security.MessageDigest.getInstance("SHA-256")
            .digest(Arrays.copyOf(bytes, bytes.length - 80));
    assertThat(document)
        .endsWith("\"sha256\" : \"" + java.util.HexFormat.of().formatHex(digest) + "\"\n}\n");
  }

  @Test
  void refuses_a_field_that_it_does_not_know() throws IOException {
    assertRefused(changed(json -> json.put("surprise", 1)), "surprise");
    assertRefused(changed(json -> firstDisk(json).put("surprise", 1)), "disks[0].surprise");
  }

  @Test
  void ignores_unknown_fields_of_a_later_revision() throws IOException {
    byte[] later =
        changed(json -> {
          json.put("revision", 7).put("surprise", 1);
          firstDisk(json).put("surprise", 1);
        });
    assertThat(ManifestCodec.decode(KEY, later)).isEqualTo(MANIFEST);
  }

  @Test
  void says_that_a_later_format_needs_a_newer_cowbell() throws IOException {
    byte[] later = changed(json -> json.put("format", 3));
    assertThatExceptionOfType(NewerFormatException.class)
        .isThrownBy(() -> ManifestCodec.decode(KEY, later))
        .withMessageContaining("newer Cowbell");
  }

  @Test
  void refuses_values_out_of_bounds() throws IOException {
    assertRefused(changed(json -> json.put("vm", "../../etc")), "vm");
    assertRefused(changed(json -> json.put("vm", ".hidden")), "vm");
    assertRefused(changed(json -> json.put("pinned", "yes")), "pinned");
    assertRefused(changed(json -> json.put("host", "x".repeat(300))), "host");
    assertRefused(changed(json -> json.remove("host")), "host: is missing");
    assertRefused(changed(json -> json.put("kind", "full")), "kind");
    assertRefused(changed(json -> json.putArray("disks")), "1 to 256 disks");
    assertRefused(changed(json -> firstDisk(json).put("virtualSize", -1)), "virtualSize");
    assertRefused(changed(json -> firstDisk(json).put("virtualSize", 1.5)), "virtualSize");
    assertRefused(changed(json -> firstDisk(json).put("name", "vdb")), "disk");
    assertRefused(
        changed(
            json -> firstDisk(json).put("virtualSize", new java.math.BigInteger("9".repeat(19)))),
        "virtualSize");
    assertRefused(
        changed(json -> firstDisk(json).withObject("overlay").put("key", "vms/web/lease.json")),
        "not where this point's overlay belongs");
    assertRefused(
        changed(json -> firstDisk(json).withObject("tracking").put("granularity", 65537)),
        "granularity");
    assertRefused(
        changed(json -> firstDisk(json).withObject("tracking").put("bitmap", "users-own")),
        "bitmap");
  }

  @Test
  void refuses_a_parent_that_is_not_older_so_that_no_chain_is_a_ring() throws IOException {
    assertRefused(changed(json -> firstDisk(json).put("parent", P2.value())), "not older");
    assertRefused(changed(json -> firstDisk(json).put("parent", Samples.P3.value())), "not older");
  }

  @Test
  void refuses_sealed_json_that_nests_too_deep_or_is_no_object() {
    String deep = "[".repeat(1000) + "]".repeat(1000);
    assertRefused(sealedByHand("{\"a\" : " + deep + ",\n  "), "no JSON object");
    assertRefused(sealedByHand("[{\n  "), "no JSON object");
  }

  private static byte[] sealedByHand(String before) {
    try {
      byte[] bytes = before.getBytes(StandardCharsets.UTF_8);
      String digest =
          java.util.HexFormat.of()
              .formatHex(java.security.MessageDigest.getInstance("SHA-256").digest(bytes));
      return (before + "\"sha256\" : \"" + digest + "\"\n}\n").getBytes(StandardCharsets.UTF_8);
    } catch (java.security.NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void refuses_too_many_labels() {
    assertThatIllegalArgumentException()
        .isThrownBy(() ->
            Manifest.checkLabels(
                java.util.stream.IntStream.range(0, 65)
                    .boxed()
                    .collect(java.util.stream.Collectors.toMap(i -> "l" + i, String::valueOf))));
  }
}
