package dev.cowbell.it.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.bitmaps.testing.SeededRandom;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code image dd} beside {@code qemu-img dd}. */
@ExtendWith(SeededRandom.class)
final class DdIT {

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "bs=64k",
        "bs=1M count=2",
        "bs=4k skip=3",
        "bs=4k skip=3 count=100",
        "bs=4k skip=10 count=4",
        "bs=1000 skip=7 count=1234",
        "bs=1M skip=100",
        "bs=1k count=0",
        "count=1000000",
      })
  void leaves_the_same_image_as_qemu_img(String operands, Random random) throws Exception {
    byte[] content = new byte[3 << 20];
    for (int at = 0; at < content.length; at += 70_000) {
      byte[] part = new byte[random.nextInt(40_000)];
      random.nextBytes(part);
      System.arraycopy(part, 0, content, at, Math.min(part.length, content.length - at));
    }
    Path raw = Files.write(dir.resolve("a.raw"), content);
    Path qcow2 = dir.resolve("a.qcow2");
    QemuImg.of("convert", "-f", "raw", "-O", "qcow2", raw, qcow2);
    for (Path source : new Path[] {raw, qcow2}) {
      for (String target : new String[] {"raw", "qcow2"}) {
        Path ours = dir.resolve("ours");
        Path theirs = dir.resolve("theirs");
        String sourceFormat = source.equals(raw) ? "raw" : "qcow2";
        String line =
            "dd -f %s -O %s %s if=%s of=".formatted(sourceFormat, target, operands, source);
        Files.deleteIfExists(theirs);
        QemuImg.of((Object[]) (line + theirs).split(" +"));
        Cowbell.of((Object[]) ("image " + line + ours).split(" +"));
        QemuImg.assertSame(ours, target, theirs, target);
        if (target.equals("raw")) {
          assertThat(Files.mismatch(ours, theirs)).as(line).isEqualTo(-1);
        } else {
          QemuImg.checkClean(ours);
          assertThat(QemuImg.info(ours).get("virtual-size"))
              .isEqualTo(QemuImg.info(theirs).get("virtual-size"));
        }
      }
    }
  }

  @Test
  void operands_that_make_no_sense_are_refused_before_anything_is_written() throws Exception {
    Path source = Files.write(dir.resolve("a.raw"), new byte[4096]);
    Path target = dir.resolve("b.raw");
    for (String bad : new String[] {"bs=0", "bs=4G", "bs=x", "count=-1", "seek=1", "nonsense"}) {
      Shell.Result found = Cowbell.run("image", "dd", "if=" + source, "of=" + target, bad);
      assertThat(found.exit()).as(found.toString()).isEqualTo(2);
      assertThat(target).doesNotExist();
    }
    assertThat(Cowbell.run("image", "dd", "of=" + target, "bs=1k").exit()).isEqualTo(2);
  }
}
