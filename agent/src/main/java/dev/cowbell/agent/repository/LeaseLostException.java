package dev.cowbell.agent.repository;

import java.io.IOException;

/** Another writer has taken over, or somebody broke the lease: nothing more may be changed. */
public final class LeaseLostException extends IOException {
  private static final long serialVersionUID = 1L;

  LeaseLostException(VmName vm, Throwable cause) {
    super(
        "the lease of VM %s was taken over by another writer; what was begun here is given up"
            .formatted(vm),
        cause);
  }
}
