package dev.cowbell.agent.config;

import dev.cowbell.agent.config.Channel.Address;
import dev.cowbell.agent.config.Channel.Login;
import dev.cowbell.agent.config.Channel.Occasion;
import dev.cowbell.agent.config.Channel.Receiver;
import dev.cowbell.agent.config.Channel.Security;
import dev.cowbell.agent.config.Shapes.Located;
import dev.cowbell.agent.schedule.JobName;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The format of the section about who is told what. */
final class NotificationFormat {

  private static final Duration USUAL_TIMEOUT = Duration.ofSeconds(30);
  private static final Shape<Duration> TIMEOUT =
      Terms.duration(Duration.ofSeconds(1), Duration.ofMinutes(10));
  private static final Shape<String> ADDRESS =
      Shapes.text(
          "^[^\\s@<>,]+@[^\\s@<>,]+$",
          Terms.checked(
              "[^\\s@<>,\\p{Cntrl}]+@[^\\s@<>,\\p{Cntrl}]+", "must be user@host", s -> s));

  private static final Key<Path> CERTIFICATES =
      Key.optional(
          "certificates",
          Terms.ABSOLUTE_PATH,
          "A file with the authorities, in PEM, that are trusted instead of the well-known ones.");

  private static final Key<URI> URL =
      Key.optional(
          "url",
          Shapes.text("^https?://", NotificationFormat::url),
          "Where JSON is sent by POST: https:// or http://.");
  private static final Key<Secret> URL_FROM =
      Key.optional("url-from", AgentFormat.SECRET, "Where the URL is kept, when it is a secret.");
  private static final Key<Duration> WEBHOOK_TIMEOUT =
      Key.optional("timeout", TIMEOUT, "How long an answer may take; 30s by default.");
  private static final Section<Receiver.Webhook> WEBHOOK =
      new Section<>(
          List.of(URL, URL_FROM, CERTIFICATES, WEBHOOK_TIMEOUT),
          List.of(URL, URL_FROM),
          fields ->
              new Receiver.Webhook(
                  fields
                      .at(URL)
                      .<Address>map(Address.Plain::new)
                      .orElseGet(() -> new Address.Kept(fields.of(URL_FROM))),
                  fields.at(CERTIFICATES),
                  fields.at(WEBHOOK_TIMEOUT).orElse(USUAL_TIMEOUT)));

  private static final Key<String> HOST =
      Key.required(
          "host",
          Terms.named("^[A-Za-z0-9.:_-]{1,255}$", "must be the name of a host", s -> s),
          "The mail server.");
  private static final Key<Integer> PORT =
      Key.optional(
          "port", Shapes.integer(1, 65535), "Its port; 587, 465 or 25 by default, as security is.");
  private static final Key<Security> SECURITY =
      Key.optional(
          "security",
          Shapes.choice(
              Map.of("starttls", Security.STARTTLS, "tls", Security.TLS, "none", Security.NONE)),
          "starttls (the default), tls from the first byte, or none.");
  private static final Key<String> USER =
      Key.optional("user", Shapes.text("", s -> s), "Who logs in; nobody by default.");
  private static final Key<Secret> PASSWORD =
      Key.optional("password", AgentFormat.SECRET, "Where the user's password is kept.");
  private static final Key<String> FROM = Key.required("from", ADDRESS, "The sender's address.");
  private static final Key<List<String>> TO =
      Key.required("to", Shapes.list(1, ADDRESS), "The receivers' addresses.");
  private static final Key<Duration> EMAIL_TIMEOUT =
      Key.optional("timeout", TIMEOUT, "How long an answer may take; 30s by default.");
  private static final Section<Receiver.Email> EMAIL =
      Section.of(
          List.of(HOST, PORT, SECURITY, CERTIFICATES, USER, PASSWORD, FROM, TO, EMAIL_TIMEOUT),
          NotificationFormat::email);

  private static final Key<Receiver.Webhook> CHANNEL_WEBHOOK =
      Key.optional("webhook", WEBHOOK, "Tells an HTTP server.");
  private static final Key<Receiver.Email> CHANNEL_EMAIL =
      Key.optional("email", EMAIL, "Tells people by mail.");
  private static final Key<List<String>> CHANNEL_COMMAND =
      Key.optional(
          "command",
          Shapes.list(1, Shapes.text("", s -> s)),
          "Runs this program with these arguments; it finds JSON on its standard input.");
  private static final Key<Duration> COMMAND_TIMEOUT =
      Key.optional("command-timeout", TIMEOUT, "How long the command may take; 30s by default.");
  private static final Key<List<Occasion>> ON =
      Key.optional(
          "on",
          Shapes.list(
              1,
              Shapes.choice(
                  Map.of(
                      "failure", Occasion.FAILURE,
                      "warning", Occasion.WARNING,
                      "recovery", Occasion.RECOVERY,
                      "stale", Occasion.STALE))),
          "What is told: failure, warning, recovery, stale; all of them by default.");
  private static final Key<Duration> STALE_AFTER =
      Key.optional(
          "stale-after",
          Terms.duration(Duration.ofSeconds(1), Duration.ofDays(366)),
          "A VM without a good point as young as this is stale; 26h by default.");
  private static final Key<List<Located<JobName>>> JOBS =
      Key.optional(
          "jobs",
          Shapes.list(1, Shapes.located(Shapes.text(JobName.PATTERN, JobName::new))),
          "The only jobs, and their VMs, that are told of; all by default.");
  private static final Key<Duration> AT_MOST_EVERY =
      Key.optional(
          "at-most-every",
          Terms.duration(Duration.ofSeconds(1), Terms.DAY),
          "The least time between two messages; what happens meanwhile is told in one. 5m by"
              + " default.");

  static final Section<Draft.Channel> CHANNEL =
      new Section<>(
          List.of(
              CHANNEL_WEBHOOK,
              CHANNEL_EMAIL,
              CHANNEL_COMMAND,
              COMMAND_TIMEOUT,
              ON,
              STALE_AFTER,
              JOBS,
              AT_MOST_EVERY),
          List.of(CHANNEL_WEBHOOK, CHANNEL_EMAIL, CHANNEL_COMMAND),
          NotificationFormat::channel);

  private NotificationFormat() {}

  private static Draft.Channel channel(Fields fields) {
    if (fields.at(CHANNEL_COMMAND).isEmpty() && fields.at(COMMAND_TIMEOUT).isPresent()) {
      throw new IllegalArgumentException("the key \"command-timeout\" is for command only");
    }
    Receiver receiver =
        fields
            .at(CHANNEL_WEBHOOK)
            .<Receiver>map(webhook -> webhook)
            .or(() -> fields.at(CHANNEL_EMAIL))
            .orElseGet(() ->
                new Receiver.Command(
                    new HookCommand(
                        fields.of(CHANNEL_COMMAND),
                        fields.at(COMMAND_TIMEOUT).orElse(USUAL_TIMEOUT))));
    return new Draft.Channel(
        receiver,
        fields.at(ON).<Set<Occasion>>map(Set::copyOf).orElseGet(() -> Set.of(Occasion.values())),
        fields.at(STALE_AFTER).orElse(Duration.ofHours(26)),
        fields.at(JOBS).orElseGet(List::of),
        fields.at(AT_MOST_EVERY).orElse(Duration.ofMinutes(5)));
  }

  private static Receiver.Email email(Fields fields) {
    Security security = fields.at(SECURITY).orElse(Security.STARTTLS);
    Optional<String> user = fields.at(USER);
    if (user.isPresent() != fields.at(PASSWORD).isPresent()) {
      throw new IllegalArgumentException("the keys \"user\" and \"password\" go together");
    }
    if (user.isPresent() && security == Security.NONE) {
      throw new IllegalArgumentException(
          "a password is not sent in the clear: security must be starttls or tls");
    }
    if (fields.at(CERTIFICATES).isPresent() && security == Security.NONE) {
      throw new IllegalArgumentException(
          "the key \"certificates\" is for security starttls or tls");
    }
    return new Receiver.Email(
        fields.of(HOST),
        fields.at(PORT).orElse(security.port()),
        security,
        user.map(name -> new Login(name, fields.of(PASSWORD))),
        fields.at(CERTIFICATES),
        fields.of(FROM),
        fields.of(TO),
        fields.at(EMAIL_TIMEOUT).orElse(USUAL_TIMEOUT));
  }

  private static URI url(String text) {
    return Receiver.Webhook.url(text);
  }
}
