package dev.cowbell.agent.repository;

import dev.cowbell.storage.ObjectKey;
import java.util.Optional;

/** Where in a repository each thing is. Keys are made of checked names only, never of data. */
public final class Layout {

  /** The repository's own description. */
  public static final ObjectKey DESCRIPTOR = new ObjectKey("cowbell.json");

  /** What the keys of all VMs begin with. */
  public static final String VMS = "vms/";

  private static final String MANIFEST_SUFFIX = ".json";
  private static final String OVERLAY_SUFFIX = ".qcow2";

  private static final String DIGESTS_SUFFIX = ".digests";

  private Layout() {}

  /** What the keys of a VM's manifests begin with. */
  public static String manifests(VmName vm) {
    return VMS + vm + "/points/";
  }

  /** What the keys of a VM's overlays begin with. */
  public static String disks(VmName vm) {
    return VMS + vm + "/disks/";
  }

  /** Who may write a VM's points now. */
  public static ObjectKey lease(VmName vm) {
    return new ObjectKey(VMS + vm + "/lease.json");
  }

  /**
   * How far a job has come in verifying a VM's points.
   *
   * @param job 1 to 60 characters of A-Z a-z 0-9 . _ -, the first no dot
   */
  static ObjectKey verified(VmName vm, String job) {
    return new ObjectKey(VMS + vm + "/verified/" + job + MANIFEST_SUFFIX);
  }

  /**
   * What people were told of a VM.
   *
   * @param name 1 to 140 characters of A-Z a-z 0-9 . _ -, the first no dot
   */
  static ObjectKey told(VmName vm, String name) {
    return new ObjectKey(VMS + vm + "/told/" + name + MANIFEST_SUFFIX);
  }

  /** What the keys of one disk's overlays begin with. */
  public static String overlays(VmName vm, DiskName disk) {
    return disks(vm) + disk + "/";
  }

  public static ObjectKey manifest(VmName vm, PointId point) {
    return new ObjectKey(manifests(vm) + point + MANIFEST_SUFFIX);
  }

  public static ObjectKey overlay(VmName vm, DiskName disk, PointId point) {
    return new ObjectKey(overlays(vm, disk) + overlayName(point));
  }

  /** The digests of what a point's overlay holds. */
  public static ObjectKey digests(VmName vm, DiskName disk, PointId point) {
    return new ObjectKey(overlays(vm, disk) + digestsName(point));
  }

  /** The bare name of the digests of a point's overlay. */
  public static String digestsName(PointId point) {
    return point + DIGESTS_SUFFIX;
  }

  /** The bare name of a point's overlay, as its child names its backing file. */
  public static String overlayName(PointId point) {
    return point + OVERLAY_SUFFIX;
  }

  /** The VM below whose folder a key is; empty for keys that are none of ours. */
  public static Optional<VmName> vmOf(ObjectKey key) {
    String[] parts = key.value().split("/", 3);
    if (parts.length < 3 || !parts[0].equals("vms")) {
      return Optional.empty();
    }
    try {
      return Optional.of(new VmName(parts[1]));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  /** The point whose manifest a key names; empty for any other key. */
  public static Optional<PointId> pointOfManifest(VmName vm, ObjectKey key) {
    String prefix = manifests(vm);
    String name = key.value();
    if (!name.startsWith(prefix) || !name.endsWith(MANIFEST_SUFFIX)) {
      return Optional.empty();
    }
    try {
      return Optional.of(
          new PointId(name.substring(prefix.length(), name.length() - MANIFEST_SUFFIX.length())));
    } catch (IllegalArgumentException | StringIndexOutOfBoundsException e) {
      return Optional.empty();
    }
  }
}
