package dev.cowbell.qcow2.crypto;

import dev.cowbell.qcow2.io.HostFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The uncompressed clusters of an encrypted image, read as their guest wrote them, from any byte to
 * any other. For concurrent use; the file is not closed with it.
 */
public final class EncryptedClusters implements Closeable {
  private static final int SECTOR = ImageCipher.SECTOR;

  /** The most that is encrypted in one piece. */
  private static final int STEP = 64 << 10;

  private final HostFile data;
  private final ImageCipher cipher;

  /** Takes over the cipher. */
  public EncryptedClusters(HostFile data, ImageCipher cipher) {
    this.data = data;
    this.cipher = cipher;
  }

  /**
   * Fills a buffer with decrypted bytes; whole sectors are read and decrypted right there.
   *
   * @param guestOffset where the bytes are on the guest's disk
   * @param hostOffset where they are in the file: as far into a sector as the guest's
   */
  public void read(long guestOffset, long hostOffset, ByteBuffer dst) throws IOException {
    int end = dst.limit();
    long guest = guestOffset;
    long host = hostOffset;
    while (dst.position() < end) {
      int inSector = (int) (host & (SECTOR - 1));
      int whole = (end - dst.position()) & -SECTOR;
      int length;
      if (inSector == 0 && whole > 0) {
        length = whole;
        dst.limit(dst.position() + length);
        readSectors(guest, host, dst);
      } else {
        length = Math.min(SECTOR - inSector, end - dst.position());
        ByteBuffer sector = ByteBuffer.allocate(SECTOR);
        readSectors(guest - inSector, host - inSector, sector);
        dst.put(sector.slice(inSector, length));
      }
      dst.limit(end);
      guest += length;
      host += length;
    }
  }

  private void readSectors(long guestOffset, long hostOffset, ByteBuffer sectors)
      throws IOException {
    int start = sectors.position();
    data.readPadded(hostOffset, sectors);
    int end = sectors.position();
    cipher.decrypt(guestOffset, hostOffset, sectors.position(start));
    sectors.position(end);
  }

  /**
   * Encrypts whole sectors and writes them; the buffer's content stays as it is.
   *
   * @param guestOffset where the bytes are on the guest's disk, at a sector
   * @param hostOffset where they go in the file, at a sector
   */
  public void write(long guestOffset, long hostOffset, ByteBuffer src) throws IOException {
    ByteBuffer sectors = ByteBuffer.allocate(Math.min(STEP, src.remaining()));
    for (long done = 0; src.hasRemaining(); done += sectors.limit()) {
      int length = Math.min(STEP, src.remaining());
      sectors.clear().put(0, src, src.position(), length).limit(length);
      src.position(src.position() + length);
      cipher.encrypt(guestOffset + done, hostOffset + done, sectors);
      data.write(hostOffset + done, sectors);
    }
  }

  @Override
  public void close() {
    cipher.close();
  }
}
