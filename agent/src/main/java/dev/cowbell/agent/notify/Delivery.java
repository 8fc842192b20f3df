package dev.cowbell.agent.notify;

import dev.cowbell.agent.config.Channel.Address;
import dev.cowbell.agent.config.Channel.Receiver;
import dev.cowbell.agent.daemon.ExternalCommand;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import javax.net.ssl.SSLException;

/** Brings a message to its receiver, once; whoever calls tries again. */
final class Delivery {

  private final Function<String, Optional<String>> environment;

  /**
   * @param environment where secrets may be
   */
  Delivery(Function<String, Optional<String>> environment) {
    this.environment = environment;
  }

  /**
   * Delivers.
   *
   * @throws IOException when the receiver did not take it; no secret is in the message
   */
  void deliver(Receiver receiver, Message message) throws IOException, InterruptedException {
    switch (receiver) {
      case Receiver.Webhook webhook -> post(webhook, message);
      case Receiver.Email email -> new Mail(email, environment).send(message);
      case Receiver.Command(var command) ->
          new ExternalCommand("notification command", command).run(Map.of(), message.json());
    }
  }

  private void post(Receiver.Webhook webhook, Message message)
      throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(url(webhook.address()))
            .timeout(webhook.timeout())
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofByteArray(message.json()))
            .build();
    HttpClient.Builder client =
        HttpClient.newBuilder()
            .connectTimeout(webhook.timeout())
            .version(HttpClient.Version.HTTP_1_1);
    if (webhook.certificates().isPresent()) {
      client.sslContext(Trust.only(webhook.certificates().get()));
    }
    try (HttpClient http = client.build()) {
      int status = status(http, request);
      http.shutdownNow();
      if (status / 100 != 2) {
        throw new IOException("the server answered " + status + " where 2xx is wanted");
      }
    }
  }

  private static int status(HttpClient http, HttpRequest request)
      throws IOException, InterruptedException {
    try {
      return http.send(request, BodyHandlers.discarding()).statusCode();
    } catch (SSLException e) {
      throw new IOException(
          "the server did not take the message: "
              + Trust.problem(e).orElse(String.valueOf(e.getMessage())),
          e);
    }
  }

  private URI url(Address address) throws IOException {
    return switch (address) {
      case Address.Plain(URI url) -> url;
      case Address.Kept(var secret) -> {
        String text = secret.reveal(environment);
        try {
          yield Receiver.Webhook.url(text.strip());
        } catch (IllegalArgumentException e) {
          throw new IOException("the URL that is kept elsewhere " + e.getMessage(), e);
        }
      }
    };
  }
}
