package dev.cowbell.it.writing;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cowbell.it.cli.Cowbell;
import dev.cowbell.it.crypto.EncryptedQemu;
import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.Shell;
import dev.cowbell.qcow2.GuestDisk;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.OpenOptions.Access;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.crypto.Passphrase;
import dev.cowbell.qcow2.crypto.Passphrases;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** An image of one cell of the matrix, as QEMU and we use it in turn. */
final class MatrixImage {
  private static final String PASSPHRASE = "geheim";

  private final MatrixCell cell;
  private final Path folder;
  private final Path path;
  private final Path data;

  MatrixImage(MatrixCell cell, Path folder, String name) {
    this.cell = cell;
    this.folder = folder;
    this.path = folder.resolve(name + ".qcow2");
    this.data = folder.resolve(name + ".data");
  }

  Path path() {
    return path;
  }

  /** The file that guest data goes to where it isn't the image itself. */
  Path data() {
    return data;
  }

  private boolean isEncrypted() {
    return cell.feature() == MatrixCell.Feature.LUKS;
  }

  /** Lets qemu-img make the image, over some content where the feature needs any. */
  Shell.Result createByQemu(Random random) throws IOException {
    String options = cell.options(data);
    return switch (cell.feature()) {
      case ZLIB, ZSTD ->
          QemuImg.run(
              "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, content(random), path);
      case BACKING -> {
        Path base = folder.resolve("base of " + path.getFileName());
        QemuImg.of("convert", "-f", "raw", "-O", "qcow2", content(random), base);
        yield QemuImg.run(
            "create", "-f", "qcow2", "-o", options, "-b", base, "-F", "qcow2", path, size());
      }
      case LUKS -> {
        EncryptedQemu.create(
            path, PASSPHRASE, "luks", "encrypt.iter-time=10," + options, cell.diskSize());
        yield Shell.run("true");
      }
      default -> QemuImg.run("create", "-f", "qcow2", "-o", options, path, size());
    };
  }

  /** Makes the image ourselves. */
  Shell.Result create(Random random) throws IOException {
    String options = cell.options(data);
    return switch (cell.feature()) {
      case ZLIB, ZSTD ->
          Cowbell.run(
              "image",
              "convert",
              "-c",
              "-f",
              "raw",
              "-O",
              "qcow2",
              "-o",
              options,
              content(random),
              path);
      case BACKING -> {
        Path base = folder.resolve("base of " + path.getFileName());
        Cowbell.of("image", "convert", "-f", "raw", "-O", "qcow2", content(random), base);
        yield Cowbell.run(
            "image", "create", "-f", "qcow2", "-o", options, "-b", base, "-F", "qcow2", path,
            size());
      }
      case LUKS ->
          Cowbell.run(
              "image",
              "create",
              "-f",
              "qcow2",
              "-o",
              "encrypt.format=luks,encrypt.iter-time=10," + options,
              "--passphrase-file",
              passphraseFile(),
              path,
              size());
      default -> Cowbell.run("image", "create", "-f", "qcow2", "-o", options, path, size());
    };
  }

  private String size() {
    return Integer.toString(cell.diskSize());
  }

  private Path passphraseFile() throws IOException {
    Path file = folder.resolve("key");
    if (!Files.exists(file)) {
      Files.createFile(
          file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      Files.writeString(file, PASSPHRASE);
    }
    return file;
  }

  /** A raw file with runs of bytes that shrink well, and of some that do not. */
  private Path content(Random random) throws IOException {
    byte[] bytes = new byte[cell.diskSize()];
    for (int i = 0; i < 12; i++) {
      int at = random.nextInt(bytes.length);
      int end = Math.min(bytes.length, at + 1 + random.nextInt(bytes.length / 8));
      byte[] run = new byte[end - at];
      Arrays.fill(run, (byte) random.nextInt(256));
      if (i % 4 == 0) {
        random.nextBytes(run);
      }
      System.arraycopy(run, 0, bytes, at, run.length);
    }
    return Files.write(folder.resolve(path.getFileName() + ".content"), bytes);
  }

  /** Opens the image with our library. */
  Qcow2Image open(Access access) throws IOException {
    OpenOptions options = OpenOptions.following().withAccess(access);
    if (!isEncrypted()) {
      return Qcow2Image.open(path, options);
    }
    try (Passphrase passphrase = Passphrase.adopt(PASSPHRASE.getBytes(StandardCharsets.UTF_8))) {
      return Qcow2Image.open(path, options.withPassphrases(Passphrases.of(passphrase)));
    }
  }

  /** Lets qemu-io run commands. */
  void io(List<String> commands) {
    List<Object> words = new ArrayList<>(List.of("qemu-io"));
    for (String command : commands) {
      words.add("-c");
      words.add(command);
    }
    words.addAll(opening());
    Shell.run(words.toArray()).success();
  }

  /** Fails unless qemu-img finds nothing wrong, not even a leak; returns what it counted. */
  JsonNode assertCleanToQemu() {
    List<Object> words = new ArrayList<>(List.of("check", "--output=json"));
    words.addAll(opening());
    return QemuImg.json(QemuImg.of(words.toArray()));
  }

  /** Fails unless our own check finds nothing wrong either. */
  void assertCleanToUs() {
    Shell.Result result = Cowbell.run("image", "check", path);
    assertThat(result.exit()).as(result.toString()).isZero();
  }

  /** What the disk holds, by QEMU's account. */
  byte[] contentToQemu() throws IOException {
    return converted(List.of());
  }

  /** What a snapshot holds, by QEMU's account. */
  byte[] contentToQemu(String snapshot) throws IOException {
    return converted(List.of("-l", snapshot));
  }

  private byte[] converted(List<String> choice) throws IOException {
    Path raw = folder.resolve(path.getFileName() + ".raw");
    List<Object> words = new ArrayList<>(List.of("convert", "-O", "raw"));
    words.addAll(choice);
    words.addAll(opening());
    words.add(raw);
    QemuImg.of(words.toArray());
    return Files.readAllBytes(raw);
  }

  private List<Object> opening() {
    return isEncrypted()
        ? List.of(
            "--object",
            "secret,id=sec0,data=" + PASSPHRASE,
            "--image-opts",
            "driver=qcow2,file.filename=" + path + ",encrypt.key-secret=sec0")
        : List.of("-f", "qcow2", path);
  }

  /** Fails unless a disk of ours shows these bytes. */
  static void assertShows(GuestDisk disk, byte[] content) throws IOException {
    byte[] shown = new byte[Math.toIntExact(disk.size())];
    disk.read(0, ByteBuffer.wrap(shown));
    assertSame(shown, content);
  }

  static void assertSame(byte[] shown, byte[] content) {
    assertThat(shown).hasSameSizeAs(content);
    assertThat(Arrays.mismatch(shown, content)).as("first difference").isEqualTo(-1);
  }
}
