package dev.cowbell.qcow2.check;

import java.io.IOException;

/** Hears of a check's findings while it runs. */
@FunctionalInterface
public interface CheckListener {

  /** Something is wrong; called once per finding. */
  void found(Finding finding) throws IOException;

  /** Called now and then between two reads; may throw to end the check. */
  default void between() throws IOException {}
}
