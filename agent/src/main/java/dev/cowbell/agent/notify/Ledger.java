package dev.cowbell.agent.notify;

import dev.cowbell.agent.repository.ToldRecord;
import java.io.IOException;
import java.time.Instant;
import java.util.Optional;

/**
 * What people were told, kept where all agents see it, so that it is told once whichever of them
 * noticed, and so that an agent knows after a restart. Each change is a comparison and an exchange:
 * of several agents that want to tell the same, one gets to.
 */
final class Ledger {

  private static final int TRIES = 10;

  private final Pages pages;

  Ledger(Pages pages) {
    this.pages = pages;
  }

  /** Where it is kept. */
  interface Pages {

    /** What stands there of a subject. */
    Optional<Page> read(Subject subject) throws IOException;

    /**
     * Writes over {@code before}, or where nothing was.
     *
     * @return whether that is what stood there; if not, nothing was written
     */
    boolean write(Subject subject, Optional<Page> before, ToldRecord now) throws IOException;
  }

  /**
   * What stands there.
   *
   * @param version changes with each writing
   */
  record Page(ToldRecord record, String version) {}

  /**
   * The answer to a claim.
   *
   * @param granted whether the caller is to tell
   * @param askAgain when it may be worth to ask again, because whoever was granted did not tell
   */
  record Claim(boolean granted, Instant askAgain) {}

  private interface Change {
    /** What is to stand there instead; empty to leave it. */
    Optional<ToldRecord> of(Optional<ToldRecord> before);
  }

  /**
   * Takes down that a subject is not well, and was told of.
   *
   * @param since when it began, unless it was not well before
   */
  void fail(Subject subject, Instant since) throws IOException {
    var _ =
        change(
            subject,
            before ->
                before.filter(b -> !b.well()).isPresent()
                    ? Optional.empty()
                    : Optional.of(ToldRecord.bad(since)));
  }

  /**
   * Takes down that a subject is well.
   *
   * @return since when it was not, if the caller is the one to tell of the recovery
   */
  Optional<Instant> recover(Subject subject, Instant now) throws IOException {
    return change(subject, before -> before.filter(b -> !b.well()).map(_ -> ToldRecord.well(now)))
        .map(ToldRecord::since);
  }

  /**
   * Asks to be the one who tells that a subject is not well.
   *
   * @param until when others may ask again, unless {@link #told} was called
   */
  Claim claim(Subject subject, Instant now, Instant until) throws IOException {
    for (int i = 0; i < TRIES; i++) {
      Optional<Page> before = pages.read(subject);
      Optional<ToldRecord> bad = before.map(Page::record).filter(record -> !record.well());
      if (bad.isPresent() && !bad.get().mayBeClaimed(now)) {
        return new Claim(false, bad.get().claimedUntil().orElse(Instant.MAX));
      }
      Instant since = bad.map(ToldRecord::since).orElse(now);
      if (pages.write(subject, before, ToldRecord.claimed(since, until))) {
        return new Claim(true, until);
      }
    }
    throw contended(subject);
  }

  /** Takes down that people know. */
  void told(Subject subject) throws IOException {
    var _ =
        change(
            subject,
            before ->
                before
                    .filter(b -> b.claimedUntil().isPresent())
                    .map(b -> ToldRecord.bad(b.since())));
  }

  /** What was there before a change; empty if nothing was changed. */
  private Optional<ToldRecord> change(Subject subject, Change change) throws IOException {
    for (int i = 0; i < TRIES; i++) {
      Optional<Page> before = pages.read(subject);
      Optional<ToldRecord> after = change.of(before.map(Page::record));
      if (after.isEmpty()) {
        return Optional.empty();
      }
      if (pages.write(subject, before, after.get())) {
        return before.map(Page::record).or(() -> after);
      }
    }
    throw contended(subject);
  }

  private static IOException contended(Subject subject) {
    return new IOException("others change at once what was told of " + subject.vm());
  }
}
