package dev.cowbell.qcow2.overlay;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ContentDigestTest {

  private static final String ID = "5d1a3c4e-0000-4000-8000-000000000001";

  private static String digest(ContentDigest digests, long offset, byte[] content) {
    byte[] to = new byte[ContentDigest.LENGTH + 2];
    digests.digest(offset, ByteBuffer.wrap(content), to, 1);
    return HexFormat.of().formatHex(to, 1, 1 + ContentDigest.LENGTH);
  }

  private static byte[] content(int length) {
    byte[] content = new byte[length];
    new Random(length).nextBytes(content);
    return content;
  }

  /** What is stored must stay comparable. A program made from RFC 8439 alone gave these values. */
  @Test
  void a_digest_never_changes_its_meaning() {
    ContentDigest digests = new ContentDigest(ID);
    assertThat(digest(digests, 0, content(4096))).isEqualTo("fd0258f786236874f5ad48269f61770c");
    assertThat(digest(digests, 1L << 40, content(65536)))
        .isEqualTo("949e85d30cc70d5bdc596efdd2d141c2");
  }

  @Test
  void the_same_content_at_the_same_place_has_the_same_digest_however_often_and_in_any_memory() {
    byte[] content = content(65536);
    String first = digest(new ContentDigest(ID), 65536, content);
    ContentDigest digests = new ContentDigest(ID);
    assertThat(digest(digests, 65536, content)).isEqualTo(first);
    assertThat(digest(digests, 65536, content)).isEqualTo(first);
    ByteBuffer direct = ByteBuffer.allocateDirect(content.length).put(content).flip();
    byte[] to = new byte[ContentDigest.LENGTH];
    digests.digest(65536, direct, to, 0);
    assertThat(HexFormat.of().formatHex(to)).isEqualTo(first);
    assertThat(direct.hasRemaining()).isFalse();
  }

  @Test
  void another_content_place_length_or_repository_has_another_digest() {
    byte[] content = content(8192);
    String one = digest(new ContentDigest(ID), 8192, content);
    byte[] flipped = content.clone();
    flipped[8191] ^= 1;
    assertThat(digest(new ContentDigest(ID), 8192, flipped)).isNotEqualTo(one);
    assertThat(digest(new ContentDigest(ID), 0, content)).isNotEqualTo(one);
    assertThat(digest(new ContentDigest(ID), 8192, Arrays.copyOf(content, 4096))).isNotEqualTo(one);
    assertThat(digest(new ContentDigest(ID.replace('1', '2')), 8192, content)).isNotEqualTo(one);
    assertThat(digest(new ContentDigest(ID), 0, new byte[4096]))
        .isNotEqualTo(digest(new ContentDigest(ID), 0, new byte[8192]));
  }
}
