package dev.cowbell.agent.notify;

import dev.cowbell.agent.config.Channel.Login;
import dev.cowbell.agent.config.Channel.Receiver;
import dev.cowbell.agent.config.Channel.Security;
import jakarta.mail.AuthenticationFailedException;
import jakarta.mail.Message.RecipientType;
import jakarta.mail.MessagingException;
import jakarta.mail.Session;
import jakarta.mail.Transport;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeMessage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Date;
import java.util.Optional;
import java.util.Properties;
import java.util.function.Function;

/** Sends a message by SMTP. */
final class Mail {

  private final Receiver.Email email;
  private final Function<String, Optional<String>> environment;

  Mail(Receiver.Email email, Function<String, Optional<String>> environment) {
    this.email = email;
    this.environment = environment;
  }

  void send(Message message) throws IOException {
    String protocol = email.security() == Security.TLS ? "smtps" : "smtp";
    Session session = Session.getInstance(properties(protocol));
    try (Transport transport = session.getTransport(protocol)) {
      MimeMessage mail = mail(session, message);
      if (email.login().isPresent()) {
        Login login = email.login().get();
        transport.connect(
            email.host(), email.port(), login.user(), login.password().reveal(environment));
      } else {
        transport.connect(email.host(), email.port(), null, null);
      }
      transport.sendMessage(mail, mail.getAllRecipients());
    } catch (AuthenticationFailedException e) {
      throw new IOException(
          "%s refused the login of %s: %s"
              .formatted(server(), email.login().map(Login::user).orElse("nobody"), said(e)),
          e);
    } catch (MessagingException e) {
      throw new IOException(
          "%s did not take the mail: %s".formatted(server(), Trust.problem(e).orElse(said(e))), e);
    }
  }

  private String server() {
    return email.host() + ":" + email.port();
  }

  private static String said(MessagingException e) {
    return String.valueOf(e.getMessage()).strip();
  }

  private MimeMessage mail(Session session, Message message) throws MessagingException {
    MimeMessage mail = new MimeMessage(session);
    mail.setFrom(new InternetAddress(email.from()));
    for (String to : email.to()) {
      mail.addRecipient(RecipientType.TO, new InternetAddress(to));
    }
    mail.setSubject(message.summary(), StandardCharsets.UTF_8.name());
    mail.setSentDate(Date.from(message.at()));
    mail.setHeader("Auto-Submitted", "auto-generated");
    mail.setText(message.text(), StandardCharsets.UTF_8.name());
    mail.saveChanges();
    return mail;
  }

  private Properties properties(String protocol) throws IOException {
    Properties properties = new Properties();
    String prefix = "mail." + protocol + ".";
    String timeout = Long.toString(email.timeout().toMillis());
    properties.setProperty(prefix + "connectiontimeout", timeout);
    properties.setProperty(prefix + "timeout", timeout);
    properties.setProperty(prefix + "writetimeout", timeout);
    properties.setProperty(prefix + "auth", Boolean.toString(email.login().isPresent()));
    properties.setProperty(prefix + "ssl.checkserveridentity", "true");
    if (email.security() == Security.STARTTLS) {
      properties.setProperty(prefix + "starttls.enable", "true");
      properties.setProperty(prefix + "starttls.required", "true");
    }
    if (email.certificates().isPresent()) {
      properties.put(
          prefix + "ssl.socketFactory", Trust.only(email.certificates().get()).getSocketFactory());
    }
    return properties;
  }
}
