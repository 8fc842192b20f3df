package dev.cowbell.agent.diskio;

import dev.cowbell.qcow2.MapEntry;
import dev.cowbell.qcow2.MappedDisk;
import java.io.IOException;
import java.util.List;

/** {@code alloc} and {@code map}: what the top layer of a disk decides by itself. */
final class AllocationCommands {

  private static final int SECTOR = 512;

  private final MappedDisk disk;
  private final IoReport report;

  AllocationCommands(MappedDisk disk, IoReport report) {
    this.disk = disk;
    this.report = report;
  }

  private static boolean isAllocated(MapEntry entry) {
    return entry.depth() == 0 && entry.present();
  }

  void alloc(List<String> operands) throws IoCommandException {
    long at = IoNumbers.bytes(operands.getFirst());
    long wanted = operands.size() > 1 ? IoNumbers.bytes(operands.get(1)) : SECTOR;
    long from = Math.min(at, disk.size());
    long length = Math.min(wanted, disk.size() - from);
    long[] allocated = new long[1];
    try {
      disk.mapLayers(
          from, length, 0, entry -> allocated[0] += isAllocated(entry) ? entry.length() : 0);
    } catch (IOException e) {
      throw IoShell.failed("is_allocated", e);
    }
    report.line(
        "%d/%d bytes allocated at offset %s".formatted(allocated[0], length, IoReport.size(at)));
  }

  void map() throws IoCommandException {
    long[] run = new long[2]; // where it began, where it ends
    boolean[] allocated = new boolean[1];
    try {
      disk.mapLayers(
          0,
          disk.size(),
          0,
          entry -> {
            if (run[1] > run[0] && isAllocated(entry) != allocated[0]) {
              print(run[0], run[1] - run[0], allocated[0]);
              run[0] = run[1];
            }
            allocated[0] = isAllocated(entry);
            run[1] = entry.end();
          });
    } catch (IOException e) {
      throw IoCommandException.onError("Failed to get allocation status: " + SystemError.of(e));
    }
    if (run[1] > run[0]) {
      print(run[0], run[1] - run[0], allocated[0]);
    }
  }

  private void print(long at, long length, boolean allocated) {
    report.line(
        "%s (0x%x) bytes %s at offset %s (0x%x)"
            .formatted(
                IoReport.size(length),
                length,
                allocated ? "    allocated" : "not allocated",
                IoReport.size(at),
                at));
  }
}
