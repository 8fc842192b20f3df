package dev.cowbell.qcow2.crypto;

import static dev.cowbell.qcow2.crypto.LuksImages.CLUSTER;
import static dev.cowbell.qcow2.crypto.LuksImages.passphrase;
import static org.assertj.core.api.Assertions.assertThat;

import dev.cowbell.qcow2.WrongPassphraseException;
import dev.cowbell.qcow2.format.Bytes;
import dev.cowbell.qcow2.format.ImageHead;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * Power is lost at every point of a change, any of the writes since the last flush having reached
 * the disk, whole or up to a sector in their middle.
 */
final class LuksAreaCrashTest {
  private static final String OLD = "old";
  private static final String NEW = "new";

  private final byte[] content = LuksImages.file(LuksOptions.defaults(), OLD);
  private final ImageHead head = LuksImages.head(content.length - CLUSTER);

  @Test
  void adding_never_loses_the_old_passphrase_nor_counts_a_slot_that_does_not_open()
      throws Exception {
    for (int slot : new int[] {1, 6, 7}) {
      Recorder recorder = new Recorder(content);
      LuksArea area = LuksArea.open(recorder, head);
      try (Passphrase old = passphrase(OLD);
          Passphrase added = passphrase(NEW);
          MasterKey key = area.unlock(old)) {
        area.addSlot(key, added, LuksImages.ITERATIONS, OptionalInt.of(slot));
      }
      int states = 0;
      for (byte[] state : recorder.statesAfterPowerLoss()) {
        LuksArea found = LuksArea.open(new MemoryHostFile("after", state), head);
        assertThat(opened(found, OLD)).contains(0);
        assertThat(openable(found)).containsExactlyElementsOf(found.header().activeSlots());
        states++;
      }
      assertThat(states).isGreaterThan(8);
    }
  }

  @Test
  void erasing_never_counts_a_slot_that_does_not_open() throws Exception {
    byte[] two = content.clone();
    MemoryHostFile start = new MemoryHostFile("start", two);
    try (Passphrase old = passphrase(OLD);
        Passphrase added = passphrase(NEW)) {
      LuksArea area = LuksArea.open(start, head);
      try (MasterKey key = area.unlock(old)) {
        area.addSlot(key, added, LuksImages.ITERATIONS, OptionalInt.of(6));
      }
    }
    ByteBuffer bytes = ByteBuffer.wrap(two);
    start.read(0, bytes);
    Recorder recorder = new Recorder(two);
    LuksArea.open(recorder, head).eraseSlot(6, false);
    for (byte[] state : recorder.statesAfterPowerLoss()) {
      LuksArea found = LuksArea.open(new MemoryHostFile("after", state), head);
      assertThat(opened(found, OLD)).containsExactly(0);
      assertThat(openable(found)).containsExactlyElementsOf(found.header().activeSlots());
    }
    byte[] last = recorder.statesAfterPowerLoss().getLast();
    assertThat(LuksArea.open(new MemoryHostFile("after", last), head).header().activeSlots())
        .containsExactly(0);
  }

  private static Set<Integer> openable(LuksArea area) throws IOException {
    Set<Integer> slots = new TreeSet<>(opened(area, OLD));
    slots.addAll(opened(area, NEW));
    return slots;
  }

  private static List<Integer> opened(LuksArea area, String text) throws IOException {
    try (Passphrase passphrase = passphrase(text)) {
      return area.slotsOpenedBy(passphrase);
    } catch (WrongPassphraseException e) {
      return List.of();
    }
  }

  private record Write(long at, Bytes bytes) {}

  /** Keeps each write until a flush. */
  private static final class Recorder implements HostFile {
    private static final int SECTOR = 512;

    /** Erasing flushes 40 times alike; later states differ in noise only. */
    private static final int MOST_FLUSHES = 4;

    private final byte[] disk;
    private final MemoryHostFile seen;
    private final List<Write> unflushed = new ArrayList<>();
    private final List<byte[]> states = new ArrayList<>();
    private int flushes;

    Recorder(byte[] start) {
      disk = start.clone();
      seen = new MemoryHostFile("recorded", start);
    }

    List<byte[]> statesAfterPowerLoss() {
      return states;
    }

    @Override
    public String name() {
      return seen.name();
    }

    @Override
    public long size() {
      return seen.size();
    }

    @Override
    public int read(long at, ByteBuffer dst) {
      return seen.read(at, dst);
    }

    @Override
    public void write(long at, ByteBuffer src) {
      unflushed.add(new Write(at, Bytes.take(src.duplicate(), src.remaining())));
      seen.write(at, src);
    }

    @Override
    public void flush() {
      if (flushes++ < MOST_FLUSHES) {
        for (int subset = 0; subset < 1 << unflushed.size(); subset++) {
          addState(subset, -1);
          for (int torn = 0; torn < unflushed.size(); torn++) {
            if ((subset >> torn & 1) != 0) {
              addState(subset, torn);
            }
          }
        }
      }
      for (Write write : unflushed) {
        write.bytes().buffer().get(disk, (int) write.at(), write.bytes().length());
      }
      unflushed.clear();
    }

    private void addState(int subset, int torn) {
      byte[] state = disk.clone();
      for (int i = 0; i < unflushed.size(); i++) {
        if ((subset >> i & 1) != 0) {
          Write write = unflushed.get(i);
          int length = write.bytes().length();
          if (i == torn) {
            long boundary = (write.at() + Math.max(1, length / 2)) / SECTOR * SECTOR;
            if (boundary <= write.at()) {
              boundary = write.at() / SECTOR * SECTOR + SECTOR;
            }
            length = (int) Math.min(length, boundary - write.at());
          }
          write.bytes().buffer().get(state, (int) write.at(), length);
        }
      }
      states.add(state);
    }

    @Override
    public void resize(long size) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void punchHole(long at, long length) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
  }
}
