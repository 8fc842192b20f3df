package dev.cowbell.it.bitmap;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.ExtentSet;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.bitmap.BitmapEditor;
import dev.cowbell.qcow2.bitmap.BitmapInfo;
import dev.cowbell.qcow2.bitmap.PersistentBitmaps;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** What the tests of bitmaps do to images, and ask of them. */
final class ImageFixture {

  private ImageFixture() {}

  @FunctionalInterface
  interface Edit {
    void on(BitmapEditor editor) throws IOException;
  }

  /** Edits an image and commits once. */
  static void edit(Path image, Edit edit) throws IOException {
    try (BitmapEditor editor = BitmapEditor.open(image)) {
      edit.on(editor);
      editor.commit();
    }
  }

  static List<BitmapInfo> list(Path image) throws IOException {
    try (HostFile file = ChannelHostFile.open(image, ImageLock.Use.READ)) {
      return PersistentBitmaps.read(file, Qcow2Image.readHead(file)).list();
    }
  }

  static DirtyBitmap load(Path image, String name) throws IOException {
    try (HostFile file = ChannelHostFile.open(image, ImageLock.Use.READ)) {
      return PersistentBitmaps.read(file, Qcow2Image.readHead(file)).load(name);
    }
  }

  static boolean isDirty(Path image, String name, long offset) throws IOException {
    try (HostFile file = ChannelHostFile.open(image, ImageLock.Use.READ)) {
      return PersistentBitmaps.read(file, Qcow2Image.readHead(file)).isDirty(name, offset);
    }
  }

  /** The same list from {@code qemu-img info}. */
  static List<BitmapInfo> listOfQemu(Path image) {
    List<BitmapInfo> infos = new ArrayList<>();
    QemuImg.info(image)
        .path("format-specific")
        .path("data")
        .path("bitmaps")
        .forEach(bitmap -> {
          String flags = bitmap.get("flags").toString();
          infos.add(
              new BitmapInfo(
                  bitmap.get("name").asText(),
                  Long.numberOfTrailingZeros(bitmap.get("granularity").asLong()),
                  flags.contains("auto"),
                  flags.contains("in-use")));
        });
    return infos;
  }

  /** Random runs inside a disk, aligned to sectors. */
  static ExtentSet runs(Random random, long diskSize, int count, long maxLength) {
    ExtentSet.Builder runs = ExtentSet.builder();
    for (int i = 0; i < count; i++) {
      long at = random.nextLong(diskSize) & -512;
      long length = (random.nextLong(Math.min(maxLength, diskSize - at)) + 512) & -512;
      runs.add(at, Math.min(length, diskSize - at));
    }
    return runs.build();
  }

  /** Lets QEMU write, zero or discard each run. */
  static void writeByQemu(Random random, Path image, ExtentSet runs) {
    List<String> commands = new ArrayList<>();
    runs.forEachRun((at, length) ->
        commands.add(
            switch (random.nextInt(3)) {
              case 0 -> "write -P " + random.nextInt(1, 256) + " " + at + " " + length;
              case 1 -> "write -z " + at + " " + length;
              default -> "discard " + at + " " + length;
            }));
    QemuIo.of(image, commands);
  }
}
