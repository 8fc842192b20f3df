package dev.cowbell.agent.config;

import dev.cowbell.agent.schedule.JobName;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A way in which people are told.
 *
 * @param name names it in logs and metrics
 * @param receiver who is told
 * @param on what about
 * @param staleAfter a VM whose newest good point is older than this is stale
 * @param jobs the only jobs that it is about; all of them when empty
 * @param atMostEvery the least time between two messages; what happens meanwhile is in one
 */
public record Channel(
    String name,
    Receiver receiver,
    Set<Occasion> on,
    Duration staleAfter,
    List<JobName> jobs,
    Duration atMostEvery) {

  public Channel {
    on = Set.copyOf(on);
    jobs = List.copyOf(jobs);
  }

  /** Whether it is about a job. */
  public boolean isAbout(JobName job) {
    return jobs.isEmpty() || jobs.contains(job);
  }

  /** What people are told of. */
  public enum Occasion {
    /** A run failed, and no further attempt follows. */
    FAILURE,
    /** A run went well, and something deserves a look all the same. */
    WARNING,
    /** What was told of is well again. */
    RECOVERY,
    /** A VM has no good backup for too long. */
    STALE
  }

  /** Who is told. */
  public sealed interface Receiver {

    /**
     * An HTTP server that takes JSON by POST.
     *
     * @param certificates a file with the only authorities that are believed; the well-known ones
     *     when empty
     */
    record Webhook(Address address, Optional<Path> certificates, Duration timeout)
        implements Receiver {

      private static final int MAX_URL = 4096;

      /**
       * Checks a URL; what it is stays out of the message, for it may be a secret.
       *
       * @throws IllegalArgumentException saying what is allowed
       */
      public static URI url(String text) {
        try {
          URI url = text.length() <= MAX_URL ? new URI(text) : URI.create("");
          boolean http = "http".equals(url.getScheme()) || "https".equals(url.getScheme());
          if (http && url.getHost() != null && url.getRawUserInfo() == null) {
            return url;
          }
        } catch (URISyntaxException _) {
          // told below, without the text
        }
        throw new IllegalArgumentException("must be https://host/path or http://host/path");
      }
    }

    /**
     * People, by mail.
     *
     * @param login who sends; nobody in particular when empty
     * @param certificates a file with the only authorities that are believed; the well-known ones
     *     when empty
     */
    record Email(
        String host,
        int port,
        Security security,
        Optional<Login> login,
        Optional<Path> certificates,
        String from,
        List<String> to,
        Duration timeout)
        implements Receiver {

      public Email {
        to = List.copyOf(to);
      }
    }

    /** A program that finds JSON on its standard input. */
    record Command(HookCommand command) implements Receiver {}
  }

  /** The address of a webhook, which often is a secret. */
  public sealed interface Address {

    /** In the file. */
    record Plain(URI url) implements Address {}

    /** Elsewhere. */
    record Kept(Secret secret) implements Address {}
  }

  /** How the connection to a mail server is kept private. */
  public enum Security {
    /** TLS from the first byte. */
    TLS(465),
    /** TLS after a few words in the clear, or no mail. */
    STARTTLS(587),
    NONE(25);

    private final int port;

    Security(int port) {
      this.port = port;
    }

    /** The usual port. */
    public int port() {
      return port;
    }
  }

  /** Who sends mail. */
  public record Login(String user, Secret password) {}
}
