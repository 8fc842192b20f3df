package dev.cowbell.qcow2;

import java.io.IOException;

/** Takes the runs of a map in order. */
@FunctionalInterface
public interface MapSink {
  void accept(MapEntry entry) throws IOException;
}
