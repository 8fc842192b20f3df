package dev.cowbell.qcow2.bitmap;

import dev.cowbell.bitmaps.DirtyBitmap;
import dev.cowbell.bitmaps.ExtentSet;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** What an image's bitmaps should be after random edits, kept beside them. */
final class ModelledBitmaps {

  private final Random random;
  private final List<Modelled> bitmaps = new ArrayList<>();

  private static final class Modelled {
    final String name;
    final DirtyBitmap bits;
    boolean enabled;

    Modelled(String name, DirtyBitmap bits, boolean enabled) {
      this.name = name;
      this.bits = bits;
      this.enabled = enabled;
    }
  }

  ModelledBitmaps(Random random) {
    this.random = random;
  }

  /** Every bitmap with its bits, in the order of the directory. */
  List<String> describe() {
    return bitmaps.stream()
        .map(bitmap ->
            describe(
                new BitmapInfo(bitmap.name, bitmap.bits.granularityBits(), bitmap.enabled, false),
                bitmap.bits))
        .toList();
  }

  /** The same from an image. */
  static List<String> describe(PersistentBitmaps bitmaps) throws IOException {
    List<String> all = new ArrayList<>();
    for (BitmapInfo info : bitmaps.list()) {
      all.add(describe(info, bitmaps.load(info.name())));
    }
    return all;
  }

  private static String describe(BitmapInfo info, DirtyBitmap bits) {
    return info + " " + bits.toExtents();
  }

  /** Makes one random edit, here and there. */
  void edit(BitmapEditor editor) throws IOException {
    if (bitmaps.isEmpty() || (bitmaps.size() < 5 && random.nextInt(3) == 0)) {
      add(editor);
      return;
    }
    Modelled bitmap = any();
    switch (random.nextInt(6)) {
      case 0 -> {
        editor.remove(bitmap.name);
        bitmaps.remove(bitmap);
      }
      case 1 -> {
        editor.clear(bitmap.name);
        bitmap.bits.clearAll();
      }
      case 2 -> {
        editor.enable(bitmap.name);
        bitmap.enabled = true;
      }
      case 3 -> {
        editor.disable(bitmap.name);
        bitmap.enabled = false;
      }
      case 4 -> {
        Modelled source = any();
        editor.merge(bitmap.name, source.name);
        bitmap.bits.merge(source.bits);
      }
      default -> {
        ExtentSet dirty = extents(editor.diskSize());
        editor.setDirty(bitmap.name, dirty);
        bitmap.bits.set(dirty);
      }
    }
  }

  private void add(BitmapEditor editor) throws IOException {
    String name = "b" + random.nextInt(1_000_000_000);
    int bits = 9 + random.nextInt(4);
    boolean enabled = random.nextBoolean();
    ExtentSet dirty = extents(editor.diskSize());
    editor.add(name, bits, enabled, dirty);
    bitmaps.add(new Modelled(name, DirtyBitmap.of(dirty, editor.diskSize(), bits), enabled));
  }

  private Modelled any() {
    return bitmaps.get(random.nextInt(bitmaps.size()));
  }

  private ExtentSet extents(long diskSize) {
    ExtentSet.Builder dirty = ExtentSet.builder();
    for (int i = random.nextInt(6); i > 0; i--) {
      long at = random.nextLong(diskSize);
      dirty.add(at, random.nextLong(Math.min(diskSize - at, 200_000)) + 1);
    }
    return dirty.build().clip(0, diskSize);
  }
}
