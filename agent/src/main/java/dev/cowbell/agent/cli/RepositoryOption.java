package dev.cowbell.agent.cli;

import dev.cowbell.agent.repository.Layout;
import dev.cowbell.agent.repository.Repository;
import dev.cowbell.agent.repository.StoreUrl;
import dev.cowbell.storage.ObjectStore;
import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;

/** Mix-in for commands that work on a repository. */
final class RepositoryOption {

  private static final String VARIABLE = "COWBELL_REPO";

  @Option(
      names = "--repo",
      paramLabel = "URL",
      description = {
        "The repository: a path, file:///path, or s3://bucket/prefix",
        "[?endpoint=http://host:port&region=R&path-style=true]. Default: $COWBELL_REPO."
      })
  private @Nullable String url;

  /** Whether one was named on the command line. */
  boolean isGiven() {
    return url != null;
  }

  /** The URL as it was given. */
  String text(Console console) throws CommandFailedException, IOException {
    url(console); // refuses what is none
    return Optional.ofNullable(url).or(() -> console.environment().apply(VARIABLE)).orElse("");
  }

  private StoreUrl url(Console console) throws CommandFailedException, IOException {
    Optional<String> given =
        Optional.ofNullable(url).or(() -> console.environment().apply(VARIABLE));
    return StoreUrl.parse(
        given.orElseThrow(() ->
            CommandFailedException.usage("no repository is named")
                .hint("give --repo URL or set " + VARIABLE)));
  }

  /** Opens the repository to read from it; says so when its description is damaged. */
  Repository openForReading(Console console) throws CommandFailedException, IOException {
    Repository open =
        Repository.adoptForReading(
            url(console)
                .open(StoreUrl.Missing.REFUSE, console.clock(), () -> credentials(console)));
    open.descriptorProblem()
        .ifPresent(problem ->
            console.err().println("cowbell: warning: %s %s".formatted(Layout.DESCRIPTOR, problem)));
    return open;
  }

  /** Opens the repository, which has to exist. */
  Repository open(Console console) throws CommandFailedException, IOException {
    return Repository.adopt(
        url(console).open(StoreUrl.Missing.REFUSE, console.clock(), () -> credentials(console)));
  }

  /** Opens the place for a repository, making it if it is not there. */
  ObjectStore createStore(Console console) throws CommandFailedException, IOException {
    return url(console).open(StoreUrl.Missing.CREATE, console.clock(), () -> credentials(console));
  }

  /** The AWS default chain, which begins with the environment; that is the console's. */
  private static AwsCredentialsProvider credentials(Console console) {
    Optional<String> key = console.environment().apply("AWS_ACCESS_KEY_ID");
    Optional<String> secret = console.environment().apply("AWS_SECRET_ACCESS_KEY");
    if (key.isEmpty() || secret.isEmpty()) {
      return DefaultCredentialsProvider.builder().build();
    }
    AwsCredentials given =
        console
            .environment()
            .apply("AWS_SESSION_TOKEN")
            .<AwsCredentials>map(
                token -> AwsSessionCredentials.create(key.get(), secret.get(), token))
            .orElseGet(() -> AwsBasicCredentials.create(key.get(), secret.get()));
    return StaticCredentialsProvider.create(given);
  }
}
