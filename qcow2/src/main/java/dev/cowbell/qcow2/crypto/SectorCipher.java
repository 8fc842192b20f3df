package dev.cowbell.qcow2.crypto;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;

/**
 * Encrypts and decrypts runs of 512-byte sectors in place. For concurrent use: each call borrows a
 * codec with its scratch space, and a returned codec serves the next call, so that calls allocate
 * nothing.
 *
 * <p>Closing overwrites the key; what the JDK's ciphers derived from it stays in memory until it is
 * collected.
 */
public final class SectorCipher implements AutoCloseable {

  /** The bytes of a sector, which is also the unit of initialisation vectors. */
  public static final int SECTOR = 512;

  private static final int MAX_IDLE = 2 * Runtime.getRuntime().availableProcessors();
  private static final int STEP = SectorCodec.MAX_SECTORS * SECTOR;

  private final CipherSpec spec;
  private final byte[] key;
  private final ArrayDeque<Worker> idle = new ArrayDeque<>();
  private boolean closed;

  /**
   * @param key {@link CipherSpec#keyLength()} bytes, which are copied
   */
  public SectorCipher(CipherSpec spec, byte[] key) {
    if (key.length != spec.keyLength()) {
      throw new IllegalArgumentException(
          "the key has %d bytes, %s needs %d".formatted(key.length, spec, spec.keyLength()));
    }
    this.spec = spec;
    this.key = key.clone();
  }

  public CipherSpec spec() {
    return spec;
  }

  /**
   * Encrypts everything between a buffer's position and its limit, which both stay.
   *
   * @param firstSector the number that the first sector's IV is made of
   * @param sectors a multiple of 512 bytes
   */
  public void encrypt(long firstSector, ByteBuffer sectors) {
    apply(SectorCodec::encrypt, firstSector, sectors);
  }

  /**
   * Decrypts everything between a buffer's position and its limit, which both stay.
   *
   * @param firstSector the number that the first sector's IV is made of
   * @param sectors a multiple of 512 bytes
   */
  public void decrypt(long firstSector, ByteBuffer sectors) {
    apply(SectorCodec::decrypt, firstSector, sectors);
  }

  @Override
  public void close() {
    synchronized (idle) {
      closed = true;
      idle.clear();
      Arrays.fill(key, (byte) 0);
    }
  }

  private void apply(Transform transform, long firstSector, ByteBuffer sectors) {
    if (sectors.remaining() % SECTOR != 0) {
      throw new IllegalArgumentException(sectors.remaining() + " bytes are not whole sectors");
    }
    Worker worker = borrow();
    if (sectors.hasArray()) {
      int at = sectors.arrayOffset() + sectors.position();
      worker.apply(transform, firstSector, sectors.array(), at, sectors.remaining());
    } else {
      worker.apply(transform, firstSector, sectors);
    }
    giveBack(worker);
  }

  private Worker borrow() {
    synchronized (idle) {
      if (closed) {
        throw new IllegalStateException("the cipher is closed");
      }
      Worker worker = idle.pollLast();
      return worker == null ? new Worker(SectorCodec.of(spec, key)) : worker;
    }
  }

  private void giveBack(Worker worker) {
    synchronized (idle) {
      if (!closed && idle.size() < MAX_IDLE) {
        idle.addLast(worker);
      }
    }
  }

  /** One direction of a codec. */
  private interface Transform {
    void apply(SectorCodec codec, long firstSector, byte[] data, int at, int sectors);
  }

  private static final class Worker {
    private final SectorCodec codec;
    private byte[] bounce = {};

    Worker(SectorCodec codec) {
      this.codec = codec;
    }

    void apply(Transform transform, long firstSector, byte[] data, int at, int length) {
      for (int done = 0; done < length; done += STEP) {
        int step = Math.min(STEP, length - done);
        transform.apply(codec, firstSector + done / SECTOR, data, at + done, step / SECTOR);
      }
    }

    /** For memory outside the heap, which the JDK's ciphers are slow on. */
    void apply(Transform transform, long firstSector, ByteBuffer data) {
      if (bounce.length == 0) {
        bounce = new byte[STEP];
      }
      int length = data.remaining();
      for (int done = 0; done < length; done += STEP) {
        int step = Math.min(STEP, length - done);
        data.get(data.position() + done, bounce, 0, step);
        transform.apply(codec, firstSector + done / SECTOR, bounce, 0, step / SECTOR);
        data.put(data.position() + done, bounce, 0, step);
      }
    }
  }
}
