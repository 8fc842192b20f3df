package dev.cowbell.storage.s3;

import dev.cowbell.storage.StoreException;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.LegacyMd5Plugin;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;

/** Sets up the SDK the way that servers other than Amazon's understand too. */
final class S3Clients {

  private S3Clients() {}

  static S3Client connect(
      S3Location location, S3Settings settings, AwsCredentialsProvider credentials)
      throws StoreException {
    S3ClientBuilder builder =
        S3Client.builder()
            .credentialsProvider(credentials)
            .forcePathStyle(location.pathStyle())
            // Chunk signatures and trailing checksums are refused by Ceph's gateway and Swift.
            // Asking before a body is sent costs a round trip each time and saves one hardly ever.
            .serviceConfiguration(
                s3 -> s3.chunkedEncodingEnabled(false).expectContinueEnabled(false))
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
            .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED)
            .addPlugin(LegacyMd5Plugin.create())
            // Only we know which requests may be repeated, and what a lost answer leaves open.
            .overrideConfiguration(o -> o.retryStrategy(AwsRetryStrategy.doNotRetry()))
            .httpClientBuilder(
                Apache5HttpClient.builder()
                    .maxConnections(settings.connections())
                    .connectionTimeout(settings.connectTimeout())
                    .connectionAcquisitionTimeout(settings.stallTimeout())
                    .socketTimeout(settings.stallTimeout())
                    .expectContinueEnabled(false)
                    .tcpKeepAlive(true));
    location.endpoint().ifPresent(builder::endpointOverride);
    if (location.region().isPresent()) {
      builder.region(Region.of(location.region().get()));
    } else if (location.endpoint().isPresent()) {
      // Servers of one's own hardly ever look at it, but a signature needs one.
      builder.region(Region.US_EAST_1);
    }
    try {
      return builder.build();
    } catch (SdkClientException e) {
      throw new StoreException(
          location + ": " + S3Errors.oneLine(e) + "; region=… in the URL or AWS_REGION sets it", e);
    }
  }
}
