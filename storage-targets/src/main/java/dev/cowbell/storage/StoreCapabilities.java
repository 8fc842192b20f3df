package dev.cowbell.storage;

/**
 * What a store can do beyond reading and writing whole objects.
 *
 * @param conditionalPut {@link Precondition.IfAbsent} and {@link Precondition.IfMatch} hold on
 *     {@link ObjectStore#put} even when two writers race
 * @param rangeCopy {@link ObjectUpload#appendCopy} moves bytes inside the store
 */
public record StoreCapabilities(boolean conditionalPut, boolean rangeCopy) {}
