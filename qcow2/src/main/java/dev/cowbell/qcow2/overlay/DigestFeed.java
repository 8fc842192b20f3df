package dev.cowbell.qcow2.overlay;

import java.io.IOException;

/** Hands the digests of batches on, as they are appended. */
final class DigestFeed {
  private final OverlaySpec spec;
  private final DigestSink sink;

  DigestFeed(OverlaySpec spec, DigestSink sink) {
    this.spec = spec;
    this.sink = sink;
  }

  void append(Batch batch) throws IOException {
    int dataCluster = 0;
    for (int run = 0; run < batch.runs(); run++) {
      long start = batch.runStart(run);
      long length = batch.runLength(run);
      if (batch.runZero(run)) {
        zero(start, length);
      } else {
        data(batch, start, (int) length, dataCluster);
        dataCluster += (int) length;
      }
    }
  }

  private void data(Batch batch, long start, int length, int first) throws IOException {
    int from = 0;
    while (from < length) {
      boolean zero = batch.frameLength(first + from) == 0;
      int end = from + 1;
      while (end < length && (batch.frameLength(first + end) == 0) == zero) {
        end++;
      }
      if (zero) {
        zero(start + from, end - from);
      } else {
        sink.data(
            (start + from) * spec.clusterSize(),
            ContentDigest.unitFor(spec.clusterSize()),
            batch.digests(first + from, end - from));
      }
      from = end;
    }
  }

  private void zero(long start, long length) throws IOException {
    if (spec.backingFile().isPresent()) {
      sink.zero(start * spec.clusterSize(), length * spec.clusterSize());
    }
  }
}
