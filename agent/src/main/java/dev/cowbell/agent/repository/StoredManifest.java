package dev.cowbell.agent.repository;

import dev.cowbell.storage.ETag;

/** A manifest and the version of the object that it was read from. */
public record StoredManifest(Manifest manifest, ETag etag) {}
