package dev.cowbell.it.bitmap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.it.qemu.QemuSystem;
import dev.cowbell.qcow2.BitmapRefusedException;
import dev.cowbell.qcow2.ImageLockedException;
import dev.cowbell.qcow2.bitmap.BitmapEditor;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Bitmaps that QEMU left in use, truncated, cleared, or that it holds right now. */
final class BitmapStatesIT {

  private static final long SIZE = 100 << 20;

  @TempDir private Path dir;

  private Path tracked() throws Exception {
    Path image = dir.resolve("a.qcow2");
    QemuImg.create(image, "", SIZE);
    ImageFixture.edit(
        image, editor -> editor.add("cowbell:p", 16, true, ExtentSet.of(SIZE - 1, 1)));
    return image;
  }

  @Test
  void refuses_to_edit_while_a_qemu_has_the_image() throws Exception {
    Path image = tracked();
    try (QemuSystem _ = QemuSystem.open(image)) {
      assertThatThrownBy(() -> BitmapEditor.open(image)).isInstanceOf(ImageLockedException.class);
    }
    BitmapEditor.open(image).close();
  }

  @Test
  void keeps_a_qemu_out_while_it_edits() throws Exception {
    Path image = tracked();
    try (BitmapEditor _ = BitmapEditor.open(image)) {
      assertThat(QemuIo.run(List.of(), image, List.of("write 0 1")).failure()).contains("lock");
    }
    QemuIo.of(image, "write 0 512");
  }

  @Test
  void finds_bitmaps_in_use_after_qemu_was_killed_and_can_only_remove_them() throws Exception {
    Path image = tracked();
    QemuImg.of("bitmap", "--add", "--disable", image, "second");
    try (QemuSystem system = QemuSystem.open(image)) {
      assertThat(system.bitmaps()).hasSize(2);
      system.kill();
    }
    assertThat(ImageFixture.list(image))
        .containsExactly(
            new BitmapInfo("cowbell:p", 16, true, true), new BitmapInfo("second", 16, false, true))
        .isEqualTo(ImageFixture.listOfQemu(image));
    assertThatThrownBy(() -> ImageFixture.load(image, "cowbell:p"))
        .isInstanceOf(BitmapRefusedException.class)
        .hasMessageContaining("can only be removed");
    ImageFixture.edit(
        image,
        editor -> {
          editor.remove("cowbell:p");
          editor.add("cowbell:q", 16, true, ExtentSet.of(SIZE - 1, 1));
        });
    assertThat(ImageFixture.listOfQemu(image))
        .containsExactly(
            new BitmapInfo("second", 16, false, true),
            new BitmapInfo("cowbell:q", 16, true, false));
    QemuImg.checkClean(image);
    QemuIo.of(image, "write 0 512");
    assertThat(ImageFixture.isDirty(image, "cowbell:q", 0)).isTrue();
  }

  @Test
  void the_sentinel_survives_writes_and_tells_of_truncation_and_clearing() throws Exception {
    Path image = tracked();
    QemuIo.of(image, "write 0 64k", "discard 50M 10M");
    assertThat(ImageFixture.isDirty(image, "cowbell:p", SIZE - 1)).isTrue();

    QemuImg.of("resize", "--shrink", image, SIZE / 2);
    QemuImg.of("resize", image, SIZE);
    assertThat(ImageFixture.isDirty(image, "cowbell:p", 0)).isTrue();
    assertThat(ImageFixture.isDirty(image, "cowbell:p", SIZE - 1)).isFalse();

    ImageFixture.edit(image, editor -> editor.setDirty("cowbell:p", ExtentSet.of(SIZE - 1, 1)));
    assertThat(ImageFixture.isDirty(image, "cowbell:p", SIZE - 1)).isTrue();
    QemuImg.of("bitmap", "--clear", image, "cowbell:p");
    assertThat(ImageFixture.isDirty(image, "cowbell:p", SIZE - 1)).isFalse();
  }

  @Test
  void ignores_bitmaps_of_version_2_and_refuses_to_add_one() throws Exception {
    Path image = dir.resolve("v2.qcow2");
    QemuImg.create(image, "compat=0.10", SIZE);
    assertThat(ImageFixture.list(image)).isEmpty();
    assertThatThrownBy(
            () -> ImageFixture.edit(image, editor -> editor.add("b", 16, true, ExtentSet.empty())))
        .isInstanceOf(BitmapRefusedException.class)
        .hasMessageContaining("version 2");
  }
}
