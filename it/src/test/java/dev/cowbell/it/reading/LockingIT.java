package dev.cowbell.it.reading;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.it.qemu.QemuImg;
import dev.cowbell.it.qemu.QemuIo;
import dev.cowbell.qcow2.ImageLockedException;
import dev.cowbell.qcow2.OpenOptions;
import dev.cowbell.qcow2.Qcow2Image;
import dev.cowbell.qcow2.ReferenceOpener;
import dev.cowbell.qcow2.io.ChannelHostFile;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.ImageLock;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real QEMU and we, each keeping out of the other's way. */
class LockingIT {
  @TempDir private Path folder;
  private Path image;

  @BeforeEach
  void createImage() {
    image = folder.resolve("disk.qcow2");
    QemuImg.create(image, "", 1 << 20);
  }

  private static Qcow2Image open(Path path) throws IOException {
    return Qcow2Image.open(path, OpenOptions.following());
  }

  /** A QEMU process that holds an image open as a virtual machine would. */
  private record Machine(Process process) implements Closeable {

    static Machine start(Path image, boolean readOnly) throws IOException {
      String node =
          "driver=qcow2,node-name=disk,read-only=%s,file.driver=file,file.filename=%s"
              .formatted(readOnly ? "on" : "off", image);
      ProcessBuilder builder =
          new ProcessBuilder(
              "qemu-system-x86_64",
              "-machine",
              "none",
              "-nodefaults",
              "-display",
              "none",
              "-qmp",
              "stdio",
              "-blockdev",
              node);
      Process process = builder.redirectErrorStream(true).start();
      BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
      String greeting = out.readLine();
      assertThat(greeting).contains("QMP");
      return new Machine(process);
    }

    @Override
    public void close() {
      process.destroyForcibly().onExit().join();
    }
  }

  private void qemuCanRead() {
    QemuIo.run(List.of("-r", "-f", "qcow2"), image, List.of("read 0 512")).success();
  }

  private void qemuCanWrite() {
    QemuIo.of(image, "write 0 512");
  }

  private void qemuIsRefused(String... options) {
    List<String> words = new ArrayList<>(List.of(options));
    words.addAll(List.of("-f", "qcow2"));
    assertThat(QemuIo.run(words, image, List.of("read 0 512")).failure()).contains("lock");
  }

  private void weAreRefused(ImageLock.Use use) {
    assertThatThrownBy(() -> ChannelHostFile.open(image, use).close())
        .isInstanceOf(ImageLockedException.class)
        .hasMessageStartingWith(image + ": the image is in use by another process");
  }

  @Test
  void an_image_that_a_machine_writes_is_refused_unless_forced() throws Exception {
    try (Machine _ = Machine.start(image, false)) {
      weAreRefused(ImageLock.Use.READ);
      weAreRefused(ImageLock.Use.WRITE);
      OpenOptions forced = OpenOptions.following().withLock(ImageLock.Use.READ_UNSAFE);
      try (Qcow2Image opened = Qcow2Image.open(image, forced)) {
        assertThat(opened.size()).isEqualTo(1 << 20);
      }
    }
    open(image).close();
  }

  @Test
  void an_image_that_a_machine_reads_can_be_read_but_not_written() throws Exception {
    try (Machine _ = Machine.start(image, true)) {
      open(image).close();
      weAreRefused(ImageLock.Use.WRITE);
    }
    ChannelHostFile.open(image, ImageLock.Use.WRITE).close();
  }

  @Test
  void while_we_read_qemu_can_read_but_not_write() throws Exception {
    try (Qcow2Image _ = open(image)) {
      qemuCanRead();
      qemuIsRefused();
    }
    qemuCanWrite();
  }

  @Test
  void while_we_write_qemu_can_do_neither_unless_forced() throws Exception {
    try (HostFile _ = ChannelHostFile.open(image, ImageLock.Use.WRITE)) {
      qemuIsRefused();
      qemuIsRefused("-r");
      QemuIo.run(List.of("-r", "-U", "-f", "qcow2"), image, List.of("read 0 512")).success();
    }
    qemuCanWrite();
  }

  @Test
  void forced_reading_keeps_nobody_out() throws Exception {
    OpenOptions forced = OpenOptions.following().withLock(ImageLock.Use.READ_UNSAFE);
    try (Qcow2Image _ = Qcow2Image.open(image, forced)) {
      qemuCanWrite();
    }
  }

  @Test
  void readers_of_one_process_share_and_a_writer_does_not() throws Exception {
    try (Qcow2Image _ = open(image);
        Qcow2Image _ = open(image)) {
      weAreRefused(ImageLock.Use.WRITE);
    }
    try (HostFile _ = ChannelHostFile.open(image, ImageLock.Use.WRITE)) {
      weAreRefused(ImageLock.Use.READ);
    }
    open(image).close();
  }

  @Test
  void backing_files_are_locked_with_their_overlay() throws Exception {
    Path overlay = folder.resolve("overlay.qcow2");
    QemuImg.createOver(overlay, "", "disk.qcow2", "qcow2", 1 << 20);
    try (Qcow2Image _ = open(overlay)) {
      qemuCanRead();
      qemuIsRefused();
    }
    try (Machine _ = Machine.start(image, false)) {
      assertThatThrownBy(() -> open(overlay)).isInstanceOf(ImageLockedException.class);
      OpenOptions forced =
          OpenOptions.strict()
              .withReferences(ReferenceOpener.followFiles(ImageLock.Use.READ_UNSAFE));
      Qcow2Image.open(overlay, forced).close();
    }
    // Nothing of the refused attempt is left.
    qemuCanWrite();
  }

  @Test
  void a_failed_opening_leaves_no_lock() throws Exception {
    try (HostFile file = ChannelHostFile.openWritable(image)) {
      file.write(0, ByteBuffer.allocate(4));
    }
    assertThatThrownBy(() -> open(image)).hasMessageContaining("not a qcow2 image");
    ChannelHostFile.open(image, ImageLock.Use.WRITE).close();
  }
}
