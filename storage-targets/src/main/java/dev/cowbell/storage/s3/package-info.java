/** An S3 bucket, or a part of one, as an object store. */
@NullMarked
package dev.cowbell.storage.s3;

import org.jspecify.annotations.NullMarked;
