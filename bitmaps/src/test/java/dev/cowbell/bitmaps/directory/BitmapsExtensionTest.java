package dev.cowbell.bitmaps.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class BitmapsExtensionTest {

  private static ByteBuffer content(int count, int reserved, long size, long offset) {
    return ByteBuffer.allocate(24)
        .putInt(count)
        .putInt(reserved)
        .putLong(size)
        .putLong(offset)
        .flip();
  }

  @Test
  void reads_back_what_it_wrote() throws Exception {
    BitmapsExtension extension = new BitmapsExtension(3, 96, 0x70000);
    assertThat(extension.encode()).isEqualTo(content(3, 0, 96, 0x70000));
    assertThat(BitmapsExtension.decode(extension.encode(), 16)).isEqualTo(extension);
  }

  @Test
  void refuses_each_field_beyond_its_limits() {
    rejects(content(1, 0, 32, 0x70000).limit(23), "has 23 bytes");
    rejects(content(0, 0, 32, 0x70000), "counts 0 bitmaps");
    rejects(content(65536, 0, 32, 0x70000), "counts 65536 bitmaps");
    rejects(content(-1, 0, 32, 0x70000), "counts 4294967295 bitmaps");
    rejects(content(1, 7, 32, 0x70000), "reserved field is 0x7");
    rejects(content(1, 0, 0, 0x70000), "size is 0 bytes");
    rejects(content(1, 0, 1024L * 65535 + 1, 0x70000), "size is 67107841 bytes");
    rejects(content(1, 0, -1, 0x70000), "size is 18446744073709551615 bytes");
    rejects(content(1, 0, 32, 0x70001), "offset 0x70001");
    rejects(content(1, 0, 32, 0), "offset 0x0");
    rejects(content(1, 0, 32, 1L << 63), "offset 0x8000000000000000");
    rejects(content(1, 0, 0x10000, 0x7FFF_FFFF_FFFF_0000L), "behind any file");
  }

  private static void rejects(ByteBuffer content, String message) {
    assertThatThrownBy(() -> BitmapsExtension.decode(content, 16))
        .isInstanceOf(BitmapFormatException.class)
        .hasMessageContaining(message);
  }
}
