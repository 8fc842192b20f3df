package dev.cowbell.qcow2;

import dev.cowbell.qcow2.crypto.Passphrases;
import dev.cowbell.qcow2.io.HostIo;
import dev.cowbell.qcow2.io.ImageLock;
import dev.cowbell.qcow2.map.L2Cache;
import dev.cowbell.qcow2.write.BarrierMode;
import dev.cowbell.qcow2.write.LazyRefcounts;

/**
 * How to open an image.
 *
 * @param references who opens backing and data files
 * @param backingFormat what a backing file is when nothing states it
 * @param scope how much of the image is wanted
 * @param lock the locks on the image file itself when it is opened by its path
 * @param l2CacheBytes the bound of memory for L2 tables, of all layers together
 * @param passphrases what opens encrypted images
 * @param access whether the image is to be written to; its backing files are not
 * @param writtenLayer the one layer below the image that is to be written to all the same: 1 for
 *     its backing file, 2 for the one below that, and so on; 0 for none
 * @param barriers what a writer makes sure of by flushing
 * @param lazyRefcounts whether a writer leaves refcounts unwritten until the image is closed
 * @param io how the image file itself is read and written when it is opened by its path
 */
public record OpenOptions(
    ReferenceOpener references,
    BackingFormat backingFormat,
    Scope scope,
    ImageLock.Use lock,
    long l2CacheBytes,
    Passphrases passphrases,
    Access access,
    int writtenLayer,
    BarrierMode barriers,
    LazyRefcounts lazyRefcounts,
    HostIo io) {

  /** What is to be done with an image. */
  public enum Access {
    READ_ONLY,
    READ_WRITE
  }

  /** How much of an image is wanted. */
  public enum Scope {
    /** Everything: what the guest sees. */
    CHAIN,
    /** The image without its backing file; reading what it doesn't hold is an error. */
    LAYER,
    /** The metadata: no backing file, no data file, no data. Works with encrypted images. */
    METADATA
  }

  /** Files are locked, references are refused, formats have to be stated. */
  public static OpenOptions strict() {
    return new OpenOptions(
        ReferenceOpener.denyAll(),
        new BackingFormat.Stated(),
        Scope.CHAIN,
        ImageLock.Use.READ,
        L2Cache.DEFAULT_BYTES,
        Passphrases.NONE,
        Access.READ_ONLY,
        0,
        BarrierMode.METADATA,
        LazyRefcounts.AS_STATED,
        HostIo.CHANNEL);
  }

  /** Files are locked, references to local files are followed, formats have to be stated. */
  public static OpenOptions following() {
    return strict().withReferences(ReferenceOpener.followFiles(ImageLock.Use.READ));
  }

  public OpenOptions withReferences(ReferenceOpener opener) {
    return new OpenOptions(
        opener,
        backingFormat,
        scope,
        lock,
        l2CacheBytes,
        passphrases,
        access,
        writtenLayer,
        barriers,
        lazyRefcounts,
        io);
  }

  public OpenOptions withBackingFormat(BackingFormat format) {
    return new OpenOptions(
        references,
        format,
        scope,
        lock,
        l2CacheBytes,
        passphrases,
        access,
        writtenLayer,
        barriers,
        lazyRefcounts,
        io);
  }

  public OpenOptions withScope(Scope wanted) {
    return new OpenOptions(
        references,
        backingFormat,
        wanted,
        lock,
        l2CacheBytes,
        passphrases,
        access,
        writtenLayer,
        barriers,
        lazyRefcounts,
        io);
  }

  public OpenOptions withLock(ImageLock.Use use) {
    return new OpenOptions(
        references,
        backingFormat,
        scope,
        use,
        l2CacheBytes,
        passphrases,
        access,
        writtenLayer,
        barriers,
        lazyRefcounts,
        io);
  }

  public OpenOptions withL2CacheBytes(long bytes) {
    return new OpenOptions(
        references,
        backingFormat,
        scope,
        lock,
        bytes,
        passphrases,
        access,
        writtenLayer,
        barriers,
        lazyRefcounts,
        io);
  }

  public OpenOptions withPassphrases(Passphrases given) {
    return new OpenOptions(
        references,
        backingFormat,
        scope,
        lock,
        l2CacheBytes,
        given,
        access,
        writtenLayer,
        barriers,
        lazyRefcounts,
        io);
  }

  /** Also sets the locks that go with the access. */
  public OpenOptions withAccess(Access wanted) {
    ImageLock.Use use = wanted == Access.READ_WRITE ? ImageLock.Use.WRITE : ImageLock.Use.READ;
    return new OpenOptions(
        references,
        backingFormat,
        scope,
        use,
        l2CacheBytes,
        passphrases,
        wanted,
        writtenLayer,
        barriers,
        lazyRefcounts,
        io);
  }

  /** Makes one layer below the image writable as well; 1 is the image's own backing file. */
  public OpenOptions withWrittenLayer(int depth) {
    return new OpenOptions(
        references,
        backingFormat,
        scope,
        lock,
        l2CacheBytes,
        passphrases,
        access,
        depth,
        barriers,
        lazyRefcounts,
        io);
  }

  public OpenOptions withBarriers(BarrierMode mode) {
    return new OpenOptions(
        references,
        backingFormat,
        scope,
        lock,
        l2CacheBytes,
        passphrases,
        access,
        writtenLayer,
        mode,
        lazyRefcounts,
        io);
  }

  public OpenOptions withLazyRefcounts(LazyRefcounts wanted) {
    return new OpenOptions(
        references,
        backingFormat,
        scope,
        lock,
        l2CacheBytes,
        passphrases,
        access,
        writtenLayer,
        barriers,
        wanted,
        io);
  }

  public OpenOptions withIo(HostIo kind) {
    return new OpenOptions(
        references,
        backingFormat,
        scope,
        lock,
        l2CacheBytes,
        passphrases,
        access,
        writtenLayer,
        barriers,
        lazyRefcounts,
        kind);
  }
}
