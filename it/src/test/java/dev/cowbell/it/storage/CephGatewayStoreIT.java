package dev.cowbell.it.storage;

import dev.cowbell.storage.ObjectStore;
import dev.cowbell.storage.ObjectStoreContract;
import dev.cowbell.storage.s3.S3Settings;
import dev.cowbell.storage.s3.S3Store;
import java.io.IOException;
import java.time.InstantSource;

/** Holds the S3 store to the contract on a real Ceph RADOS gateway. */
final class CephGatewayStoreIT extends ObjectStoreContract {

  @Override
  protected ObjectStore emptyStore() throws IOException {
    CephGateway gateway = CephGateway.running();
    return S3Store.create(
        gateway.newLocation(), S3Settings.DEFAULT, gateway.credentials(), InstantSource.system());
  }
}
