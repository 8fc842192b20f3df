package dev.cowbell.agent.notify;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.util.Collection;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/** Whose certificates are believed, and what to say of one that is not. */
final class Trust {

  private static final long MAX_SIZE = 4 << 20;
  private static final int MAX_CAUSES = 20;

  private Trust() {}

  /**
   * TLS that believes the authorities of a file, and no other.
   *
   * @param file certificates in PEM
   * @throws IOException saying what is wrong with the file
   */
  static SSLContext only(Path file) throws IOException {
    try {
      KeyStore authorities = KeyStore.getInstance(KeyStore.getDefaultType());
      authorities.load(null, null);
      int count = 0;
      for (Certificate certificate : read(file)) {
        authorities.setCertificateEntry("authority-" + count++, certificate);
      }
      if (count == 0) {
        throw new IOException(file + ": has no certificate; PEM is wanted");
      }
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(authorities);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, trust.getTrustManagers(), null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IOException(file + ": can't be used as certificates: " + e.getMessage(), e);
    }
  }

  private static Collection<? extends Certificate> read(Path file)
      throws IOException, CertificateException {
    try {
      if (Files.size(file) > MAX_SIZE) {
        throw new IOException(file + ": certificates take at most " + MAX_SIZE + " bytes");
      }
      try (InputStream in = Files.newInputStream(file)) {
        return CertificateFactory.getInstance("X.509").generateCertificates(in);
      }
    } catch (NoSuchFileException e) {
      throw new IOException(file + ": no such file", e);
    }
  }

  /** Why TLS failed, if that is what made {@code failure}. */
  static Optional<String> problem(Throwable failure) {
    Optional<String> found = Optional.empty();
    @Nullable Throwable cause = failure;
    for (int i = 0; cause != null && i < MAX_CAUSES; i++) {
      if (cause instanceof CertificateException) {
        // the deepest tells most
        found = Optional.of("its certificate is not trusted: " + cause.getMessage());
      } else if (cause instanceof SSLException && found.isEmpty()) {
        found = Optional.of("no TLS with it: " + cause.getMessage());
      }
      cause = cause.getCause();
    }
    return found;
  }
}
