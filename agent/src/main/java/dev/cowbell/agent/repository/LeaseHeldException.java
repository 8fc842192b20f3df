package dev.cowbell.agent.repository;

import java.io.IOException;

/** Somebody else may write a VM's points now. */
public final class LeaseHeldException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String vm;

  LeaseHeldException(VmName vm, String by) {
    super("VM %s is being written to by %s".formatted(vm, by));
    this.vm = vm.value();
  }

  /** What the user may do about it. */
  public String hint() {
    return "if that is gone for good, cowbell unlock --vm %s --force breaks its lease"
        .formatted(vm);
  }
}
