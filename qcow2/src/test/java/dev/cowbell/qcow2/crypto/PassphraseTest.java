package dev.cowbell.qcow2.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PassphraseTest {

  @Test
  void a_file_counts_byte_for_byte_with_its_newline(@TempDir Path dir) throws Exception {
    Path file = Files.writeString(dir.resolve("secret"), "geheim ✓\n");
    try (Passphrase passphrase = Passphrase.readFile(file)) {
      assertThat(passphrase.bytes()).isEqualTo("geheim ✓\n".getBytes(StandardCharsets.UTF_8));
      assertThat(passphrase.hint()).contains("newline");
      assertThat(passphrase.toString()).doesNotContain("geheim");
    }
  }

  @Test
  void closing_overwrites_it_and_ends_its_use() {
    byte[] bytes = "abc".getBytes(StandardCharsets.UTF_8);
    Passphrase passphrase = Passphrase.adopt(bytes);
    passphrase.close();
    assertThat(bytes).containsOnly(0);
    assertThatThrownBy(passphrase::bytes).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void what_was_typed_becomes_utf_8() {
    try (Passphrase passphrase = Passphrase.of("ä€𝄞".toCharArray())) {
      assertThat(passphrase.bytes()).isEqualTo("ä€𝄞".getBytes(StandardCharsets.UTF_8));
    }
    assertThatThrownBy(() -> Passphrase.of(new char[] {'a', '\ud800'}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the passphrase is not valid Unicode");
  }

  @Test
  void refuses_what_qemu_refuses(@TempDir Path dir) throws Exception {
    assertThatThrownBy(() -> Passphrase.adopt(new byte[] {'a', 0, 'b'}))
        .hasMessage("the passphrase contains a NUL byte, allowed is UTF-8 text");
    for (byte[] invalid :
        new byte[][] {{(byte) 0xff}, {'a', (byte) 0xc3}, {(byte) 0xed, (byte) 0xa0, (byte) 0x80}}) {
      Path file = Files.write(dir.resolve("invalid"), invalid);
      assertThatThrownBy(() -> Passphrase.readFile(file))
          .isInstanceOf(IOException.class)
          .hasMessage(file + ": the passphrase is not valid UTF-8");
    }
  }

  @Test
  void a_huge_file_is_not_read_whole() {
    assertThatThrownBy(() -> Passphrase.readFile(Path.of("/dev/zero")))
        .isInstanceOf(IOException.class)
        .hasMessage("/dev/zero: the passphrase is longer than 65536 bytes");
  }
}
