package dev.cowbell.qcow2.layers;

import dev.cowbell.qcow2.MappedDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.RawDisk;
import dev.cowbell.qcow2.ReferenceException;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** Finds layers in the backing chain of an image. */
final class BaseLayer {

  private BaseLayer() {}

  /** The layer so many layers below an image. */
  static MappedDisk at(Qcow2Image image, int depth) throws ReferenceException {
    MappedDisk layer = image;
    for (int i = 0; i < depth; i++) {
      layer =
          below(layer)
              .orElseThrow(
                  () -> new ReferenceException(image.file().name() + ": has no backing file"));
    }
    return layer;
  }

  /** The file that a layer is in. */
  static HostFile file(MappedDisk layer) {
    return switch (layer) {
      case Qcow2Image image -> image.file();
      case RawDisk raw -> raw.file();
      default -> throw new IllegalStateException("no layer of an image: " + layer);
    };
  }

  /**
   * How many layers below an image the one is that a name means: the text by which the layer above
   * refers to it, or a path to the same file.
   */
  static int depth(Path image, String base, OpenOptions reading) throws IOException {
    try (Qcow2Image top = Qcow2Image.open(image, reading)) {
      Optional<Object> wanted = identity(base);
      MappedDisk layer = top;
      for (int depth = 1; ; depth++) {
        Optional<MappedDisk> below = below(layer);
        if (below.isEmpty()) {
          throw new ReferenceException(
              "%s: '%s' is not in its backing chain".formatted(image, base));
        }
        boolean named =
            layer instanceof Qcow2Image above
                && above.head().backingFile().filter(base::equals).isPresent();
        if (named || wanted.filter(file(below.get()).identity()::equals).isPresent()) {
          return depth;
        }
        layer = below.get();
      }
    }
  }

  private static Optional<Object> identity(String base) {
    try (HostFile file = ChannelHostFile.open(Path.of(base), ImageLock.Use.READ_UNSAFE)) {
      return Optional.of(file.identity());
    } catch (IOException | IllegalArgumentException _) {
      return Optional.empty(); // the text by which it is referred to may still be right
    }
  }

  private static Optional<MappedDisk> below(MappedDisk layer) {
    return layer instanceof Qcow2Image image ? image.backing() : Optional.empty();
  }
}
