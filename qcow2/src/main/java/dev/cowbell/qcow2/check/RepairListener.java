package dev.cowbell.qcow2.check;

import java.io.IOException;

/** Hears of a repair's findings, and of what it does, while it runs. */
public interface RepairListener extends CheckListener {

  /** Hears nothing. */
  RepairListener NONE =
      new RepairListener() {
        @Override
        public void found(Finding finding) {}

        @Override
        public void repairing(Repair repair) {}
      };

  /** A step is about to be done. */
  void repairing(Repair repair) throws IOException;
}
